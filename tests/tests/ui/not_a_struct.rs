use xai_core::prelude::*;

#[experiment]
enum NotAStruct {
    A,
}

fn main() {}
