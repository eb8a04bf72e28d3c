use xai_core::prelude::*;

#[experiment(zip(width, depth), zip(width, height))]
struct ZipTwice {
    #[axis([1, 2])]
    width: usize,
    #[axis([3, 4])]
    depth: usize,
    #[axis([5, 6])]
    height: usize,
}

fn main() {}
