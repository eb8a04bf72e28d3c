use xai_core::prelude::*;

#[experiment(zip(width, depth))]
struct ZipOfDependent {
    #[axis([1, 2])]
    width: usize,
    #[axis(|width| vec![width, 2])]
    depth: usize,
}

fn main() {}
