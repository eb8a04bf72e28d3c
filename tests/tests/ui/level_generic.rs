use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth<T> {
    One,
    Two(T),
}

fn main() {}
