use xai_core::prelude::*;

#[experiment(skip("too deep", |wdth| wdth > 2))]
struct Dependencies {
    #[axis(|depht| vec![depht])]
    width: usize,
    #[axis(|seed| vec![1, 2])]
    depth: usize,
    #[seed(0..3)]
    seed: u64,
    #[axis(|seed| vec![seed])]
    backwards: u64,
}

fn main() {}
