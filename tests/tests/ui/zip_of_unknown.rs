use xai_core::prelude::*;

#[experiment(zip(width, deph))]
struct ZipOfUnknown {
    #[axis([1, 2])]
    width: usize,
    #[axis([1, 2, 3])]
    depth: usize,
}

fn main() {}
