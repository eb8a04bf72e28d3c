use xai_core::prelude::*;

#[experiment(zip(width, depth), zip(seed), zip(width, seeed))]
struct Zips {
    #[axis([1, 2])]
    width: usize,
    #[axis([1, 2, 3])]
    depth: usize,
    #[seed(0..3)]
    seed: u64,
}

fn main() {}
