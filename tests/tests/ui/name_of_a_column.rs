use xai_core::prelude::*;

#[experiment]
struct NameOfAColumn {
    #[axis([1, 2])]
    method: usize,
}

fn main() {}
