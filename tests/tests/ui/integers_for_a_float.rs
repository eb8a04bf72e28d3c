use xai_core::prelude::*;

#[experiment]
struct IntegersForAFloat {
    #[axis([0.5, 1])]
    rate: f64,
}

fn main() {}
