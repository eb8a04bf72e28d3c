use xai_core::prelude::*;

#[experiment(select(max = |v| v.accuracy))]
struct SelectWithoutTune {
    #[axis([1, 2])]
    width: usize,
}

fn main() {}
