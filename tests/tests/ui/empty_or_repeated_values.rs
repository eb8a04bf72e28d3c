use xai_core::prelude::*;

#[experiment]
struct Values {
    #[axis([])]
    empty: usize,
    #[axis([0.1, 0.2, 0.1])]
    repeated: f64,
}

fn main() {}
