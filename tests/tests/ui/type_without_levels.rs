use xai_core::prelude::*;

#[experiment]
struct TypeWithoutLevels {
    #[axis]
    width: usize,
}

fn main() {}
