use xai_core::prelude::*;

#[experiment(skpi("why", |width| width > 1))]
struct OptionUnknown {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
