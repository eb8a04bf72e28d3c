use xai_core::prelude::*;

#[experiment(select(|v| v.accuracy))]
struct SelectWithoutRule {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
