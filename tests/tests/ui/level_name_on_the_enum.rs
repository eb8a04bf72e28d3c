use xai_core::prelude::*;

#[derive(Clone, Level)]
#[level("depth")]
enum Depth {
    One,
}

fn main() {}
