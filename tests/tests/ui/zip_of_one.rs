use xai_core::prelude::*;

#[experiment(zip(width))]
struct ZipOfOne {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
