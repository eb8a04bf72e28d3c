use xai_core::prelude::*;

#[experiment]
struct DependencyOnItself {
    #[axis(|width| vec![width])]
    width: usize,
}

fn main() {}
