use xai_core::prelude::*;

#[derive(Clone, Level)]
enum Filter {
    Sobel,
    Gauss(f64),
}

fn main() {}
