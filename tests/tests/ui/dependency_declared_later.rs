use xai_core::prelude::*;

#[experiment]
struct DependencyDeclaredLater {
    #[axis(|width| vec![width])]
    depth: usize,
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
