use xai_core::prelude::*;

#[experiment]
struct TuneWithoutSelect {
    #[tune([0.1, 0.2])]
    rate: f64,
}

fn main() {}
