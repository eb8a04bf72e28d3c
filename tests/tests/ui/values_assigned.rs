use xai_core::prelude::*;

#[experiment]
struct ValuesAssigned {
    #[axis = [1, 2]]
    width: usize,
}

fn main() {}
