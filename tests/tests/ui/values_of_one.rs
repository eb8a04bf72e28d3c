use xai_core::prelude::*;

#[experiment]
struct ValuesOfOne {
    #[axis(3)]
    width: usize,
}

fn main() {}
