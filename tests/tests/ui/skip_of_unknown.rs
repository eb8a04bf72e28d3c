use xai_core::prelude::*;

#[experiment(skip("too deep", |wdth| wdth > 1))]
struct SkipOfUnknown {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
