use xai_core::prelude::*;

#[experiment]
struct ValuesOfAnotherType {
    #[axis([1.0, 2.0])]
    width: usize,
}

fn main() {}
