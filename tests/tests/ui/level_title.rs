use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth {
    #[level("1conv", name = "one")]
    One,
    #[level(title = "")]
    Two,
    #[level(title = "all layers")]
    All,
    #[level("every", title = "all layers")]
    Every,
}

fn main() {}
