use xai_core::prelude::*;

#[experiment]
struct ValuesOfAnotherType {
    #[axis(0.1..0.3)]
    rate: f64,
    #[axis([1.0, 2.0])]
    width: usize,
}

fn main() {}
