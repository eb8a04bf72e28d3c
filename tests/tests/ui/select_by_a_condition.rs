use xai_core::prelude::*;

#[experiment(select(max = |v| v.accuracy > 0.5))]
struct SelectByACondition {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
