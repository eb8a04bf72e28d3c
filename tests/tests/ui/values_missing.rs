use xai_core::prelude::*;

#[experiment]
struct ValuesMissing {
    #[axis()]
    width: usize,
}

fn main() {}
