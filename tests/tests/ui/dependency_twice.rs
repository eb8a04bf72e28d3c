use xai_core::prelude::*;

#[experiment]
struct DependencyTwice {
    #[axis([1, 2])]
    width: usize,
    #[axis(|width, width| vec![width])]
    depth: usize,
}

fn main() {}
