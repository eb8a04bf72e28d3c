use xai_core::prelude::*;

#[experiment]
struct ValuesEmpty {
    #[axis([])]
    width: usize,
}

fn main() {}
