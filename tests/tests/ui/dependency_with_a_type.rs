use xai_core::prelude::*;

#[experiment]
struct DependencyWithAType {
    #[axis([1, 2])]
    width: usize,
    #[axis(|width: usize| vec![width])]
    depth: usize,
}

fn main() {}
