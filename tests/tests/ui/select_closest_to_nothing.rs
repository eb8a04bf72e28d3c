use xai_core::prelude::*;

#[experiment(select(closest = 0.89))]
struct SelectClosestToNothing {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
