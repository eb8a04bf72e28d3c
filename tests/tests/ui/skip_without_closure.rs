use xai_core::prelude::*;

#[experiment(skip("too wide", width > 1))]
struct SkipWithoutClosure {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
