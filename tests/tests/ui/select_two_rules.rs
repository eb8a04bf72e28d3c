use xai_core::prelude::*;

#[experiment(select(max = |v| v.accuracy, min = |v| v.loss))]
struct SelectTwoRules {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
