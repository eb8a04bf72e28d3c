use xai_core::prelude::*;

#[experiment]
struct SeedOfFloats {
    #[seed([0.5, 1.5])]
    seed: u64,
}

fn main() {}
