use xai_core::prelude::*;

#[experiment]
struct SeedWithoutCount {
    #[seed]
    seed: u64,
}

fn main() {}
