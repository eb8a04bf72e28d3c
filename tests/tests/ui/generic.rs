use xai_core::prelude::*;

#[experiment]
struct Generic<T> {
    #[axis([1, 2])]
    width: T,
}

fn main() {}
