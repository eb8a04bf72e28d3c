use xai_core::prelude::*;

#[experiment]
struct RangeBackwards {
    #[axis(3..0)]
    width: usize,
}

fn main() {}
