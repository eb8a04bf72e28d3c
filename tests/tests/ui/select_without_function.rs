use xai_core::prelude::*;

#[experiment(select(max = v.accuracy))]
struct SelectWithoutFunction {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
