use xai_core::prelude::*;

#[derive(Level)]
enum Depth {
    One,
    All,
}

fn main() {}
