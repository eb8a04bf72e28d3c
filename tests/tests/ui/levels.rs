use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Levels {
    #[level("one")]
    First,
    One,
    Data(u8),
    #[level(name)]
    Two,
}

#[derive(Clone, Level)]
struct NotAnEnum;

fn main() {}
