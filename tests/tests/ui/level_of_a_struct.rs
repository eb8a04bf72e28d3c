use xai_core::prelude::*;

#[derive(Clone, Level)]
struct Depth {
    layers: usize,
}

fn main() {}
