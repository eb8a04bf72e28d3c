use xai_core::prelude::*;

#[experiment(snapshot = smok)]
struct SnapshotOfUnknownScale {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
