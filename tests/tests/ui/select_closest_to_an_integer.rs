use xai_core::prelude::*;

#[experiment(select(closest = 1, by = |v| v.accuracy))]
struct SelectClosestToAnInteger {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
