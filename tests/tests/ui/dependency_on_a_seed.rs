use xai_core::prelude::*;

#[experiment]
struct DependencyOnASeed {
    #[seed(3)]
    seed: u64,
    #[axis(|seed| vec![seed])]
    width: u64,
}

fn main() {}
