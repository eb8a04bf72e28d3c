use xai_core::prelude::*;

#[experiment]
struct LogOfOne {
    #[axis(log(1e-4..=1e-2, 1))]
    rate: f64,
}

fn main() {}
