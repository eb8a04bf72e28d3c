use xai_core::prelude::*;

#[experiment]
struct DependencyMistyped {
    #[axis([1, 2])]
    width: usize,
    #[axis(|widht| vec![widht])]
    depth: usize,
}

fn main() {}
