use xai_core::prelude::*;

#[experiment]
struct LogHalfOpen {
    #[axis(log(1e-4..1e-2, 5))]
    rate: f64,
}

fn main() {}
