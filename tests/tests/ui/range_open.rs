use xai_core::prelude::*;

#[experiment]
struct RangeOpen {
    #[axis(1..)]
    width: usize,
}

fn main() {}
