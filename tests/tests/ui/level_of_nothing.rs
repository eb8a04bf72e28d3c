use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Depth {}

fn main() {}
