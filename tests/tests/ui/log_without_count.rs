use xai_core::prelude::*;

#[experiment]
struct LogWithoutCount {
    #[axis(log(1e-4..=1e-2))]
    rate: f64,
}

fn main() {}
