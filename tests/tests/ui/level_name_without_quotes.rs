use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth {
    #[level(one)]
    One,
}

fn main() {}
