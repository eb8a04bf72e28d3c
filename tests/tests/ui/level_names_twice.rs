use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth {
    #[level("all")]
    Every,
    All,
}

fn main() {}
