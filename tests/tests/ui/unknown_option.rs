use xai_core::prelude::*;

#[experiment(selekt(max = |v| v.accuracy), skip("", |width| width > 1))]
struct UnknownOption {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
