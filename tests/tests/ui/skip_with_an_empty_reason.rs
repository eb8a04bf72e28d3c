use xai_core::prelude::*;

#[experiment(skip("", |width| width > 1))]
struct SkipWithAnEmptyReason {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
