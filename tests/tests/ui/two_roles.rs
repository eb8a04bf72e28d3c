use xai_core::prelude::*;

#[experiment]
struct TwoRoles {
    #[axis([1, 2])]
    #[seed]
    width: usize,
}

fn main() {}
