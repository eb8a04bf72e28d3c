use xai_core::prelude::*;

#[experiment]
struct ValuesRepeated {
    #[axis([0.1, 0.2, 0.10])]
    rate: f64,
}

fn main() {}
