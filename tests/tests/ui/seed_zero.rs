use xai_core::prelude::*;

#[experiment]
struct SeedZero {
    #[seed(0)]
    seed: u64,
}

fn main() {}
