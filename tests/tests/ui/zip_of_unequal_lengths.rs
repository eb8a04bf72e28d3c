use xai_core::prelude::*;

#[experiment(zip(width, depth))]
struct ZipOfUnequalLengths {
    #[axis([1, 2])]
    width: usize,
    #[axis([1, 2, 3])]
    depth: usize,
}

fn main() {}
