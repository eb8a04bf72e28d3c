use xai_core::prelude::*;

#[experiment]
struct ValuesWithoutBrackets {
    #[axis(1, 2, 3)]
    width: usize,
}

fn main() {}
