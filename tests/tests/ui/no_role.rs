use xai_core::prelude::*;

#[experiment]
struct NoRole {
    #[axis([1, 2])]
    width: usize,
    seed: u64,
}

fn main() {}
