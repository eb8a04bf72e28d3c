use xai_core::prelude::*;

#[experiment(snapshot(smoke))]
struct SnapshotInParentheses {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
