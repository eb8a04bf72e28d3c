use xai_core::prelude::*;

#[experiment]
struct NameOfTheScale {
    #[axis([1, 2])]
    scale: usize,
}

fn main() {}
