use xai_core::prelude::*;

#[experiment]
struct TypeOfNoParameter {
    #[axis([0.1, 0.2])]
    rate: f32,
}

fn main() {}
