use xai_core::prelude::*;

#[experiment(snapshot = smoke zip(width, width))]
struct OptionWithoutComma {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
