use xai_core::prelude::*;

#[experiment]
struct LogForIntegers {
    #[axis(log(1.0..=8.0, 4))]
    width: usize,
}

fn main() {}
