//! The first weights of a network.

use burn::tensor::TensorData;
use rand_distr::{Distribution as _, Normal};

use crate::random;

/// Gives weights of a shape, drawn from a normal distribution of a deviation: all of one network from
/// one stream.
pub(super) fn normal(seed: u64) -> impl FnMut(&[usize], f64) -> TensorData {
    let mut rng = random::stream(seed, "network/weights");
    move |shape, deviation| {
        let draw = Normal::new(0.0, deviation).expect("a finite deviation");
        let count = shape.iter().product();
        let numbers: Vec<f32> = (0..count).map(|_| draw.sample(&mut rng) as f32).collect();
        TensorData::new(numbers, shape.to_vec())
    }
}

/// Zeros, whatever the deviation: for a network whose weights will come from a file.
pub(super) fn zeros(shape: &[usize], _: f64) -> TensorData {
    TensorData::new(vec![0.0f32; shape.iter().product()], shape.to_vec())
}
