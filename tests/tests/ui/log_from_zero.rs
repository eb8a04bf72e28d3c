use xai_core::prelude::*;

#[experiment]
struct LogFromZero {
    #[axis(log(0.0..=1.0, 5))]
    rate: f64,
}

fn main() {}
