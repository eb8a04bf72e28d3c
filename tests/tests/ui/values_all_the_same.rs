use xai_core::prelude::*;

#[experiment]
struct ValuesAllTheSame {
    #[axis([0.1; 3])]
    rate: f64,
}

fn main() {}
