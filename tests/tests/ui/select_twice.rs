use xai_core::prelude::*;

#[experiment(select(max = |v| v.accuracy), select(min = |v| v.loss))]
struct SelectTwice {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
