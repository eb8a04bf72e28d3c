use xai_core::prelude::*;

#[experiment]
struct RangeOfFloats {
    #[axis(0.1..0.3)]
    rate: f64,
}

fn main() {}
