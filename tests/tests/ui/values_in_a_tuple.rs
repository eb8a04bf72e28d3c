use xai_core::prelude::*;

#[experiment]
struct ValuesInATuple {
    #[axis((1, 2, 3))]
    width: usize,
}

fn main() {}
