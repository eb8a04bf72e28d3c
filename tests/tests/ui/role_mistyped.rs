use xai_core::prelude::*;

#[experiment]
struct RoleMistyped {
    #[axes([1, 2])]
    width: usize,
}

fn main() {}
