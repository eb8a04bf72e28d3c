use xai_core::prelude::*;

#[experiment(select(max = |v| v.test_accuracy))]
struct SelectByTestScore {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
