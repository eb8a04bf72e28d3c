use xai_core::prelude::*;

#[experiment(zip(width), skpi("why", |width| width > 1))]
struct AllAtOnce {
    #[axis([1, 1])]
    width: usize,
    #[axis(|widht| vec![widht])]
    depth: usize,
    #[tune([0.1])]
    rate: f64,
    seed: u64,
}

fn main() {}
