use xai_core::prelude::*;

#[experiment(skip("too wide", |width| width))]
struct SkipOfNoCondition {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
