//! The first weights of a network.

use burn::tensor::TensorData;
use rand_distr::{Distribution as _, Normal};

use super::layers::{Layer, Network};
use crate::device::Tensor;
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

/// Draws the weights of all convolutions and linear layers with a variance of 2 divided by the number of inputs of each
/// output (He et al. 2015, "Delving deep into rectifiers").
pub(super) fn draw_weights(network: &mut Network, seed: u64) {
    let mut draw = normal(seed);
    let mut weight = |shape: &[usize]| {
        let inputs: usize = shape[1..].iter().product();
        draw(shape, (2.0 / inputs as f64).sqrt())
    };
    for layer in network.layers_mut() {
        match layer {
            Layer::Conv2d(conv) => {
                let (shape, device) = (conv.weight.dims(), conv.weight.device());
                conv.weight = Tensor::from_data(weight(&shape), &device);
            }
            Layer::Linear(linear) => {
                let (shape, device) = (linear.weight.dims(), linear.weight.device());
                linear.weight = Tensor::from_data(weight(&shape), &device);
            }
            _ => {}
        }
    }
}

/// Zeros, whatever the deviation: for a network whose weights will come from a file.
pub(super) fn zeros(shape: &[usize], _: f64) -> TensorData {
    TensorData::new(vec![0.0f32; shape.iter().product()], shape.to_vec())
}
