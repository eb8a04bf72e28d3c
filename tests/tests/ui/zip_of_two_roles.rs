use xai_core::prelude::*;

#[experiment(zip(width, seed))]
struct ZipOfTwoRoles {
    #[axis([1, 2])]
    width: usize,
    #[seed(2)]
    seed: u64,
}

fn main() {}
