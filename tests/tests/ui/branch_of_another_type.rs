use xai_core::prelude::*;

#[experiment]
struct BranchOfAnotherType {
    #[axis([1, 2])]
    width: usize,
    #[axis(|width| if width == 1 { [0.1, 0.2] } else { ["a"] })]
    rate: f64,
}

fn main() {}
