use xai_core::prelude::*;

#[experiment]
struct SeedAsText {
    #[seed("three")]
    seed: u64,
}

fn main() {}
