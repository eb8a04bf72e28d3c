use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth {
    #[level("one,two")]
    Two,
}

fn main() {}
