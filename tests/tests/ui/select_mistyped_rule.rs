use xai_core::prelude::*;

#[experiment(select(maximum = |v| v.accuracy))]
struct SelectMistypedRule {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
