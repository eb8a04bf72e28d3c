//! The first weights of a network.

use burn::tensor::TensorData;
use rand_distr::{Distribution as _, Normal};

use super::conv::Conv2d;
use super::layers::{Layer, Linear, Network};
use crate::device::{Device, Tensor};
use crate::random;

/// Returns weights for a shape and a standard deviation.
type Draw = Box<dyn FnMut(&[usize], f64) -> TensorData>;

/// Draws the initial weights of the layers of your own network.
///
/// Weights are normal with a variance of 2 / (inputs of a unit). This keeps the scale of
/// activations constant from layer to layer if ReLUs follow (He et al. 2015). Biases are 0. Layers
/// without weights, such as [`Layer::Relu`], need no draw.
///
/// ```
/// use xai_core::device::DeviceChoice;
/// use xai_core::network::ops::Window;
/// use xai_core::network::{FirstWeights, Layer, Network};
///
/// let mut draw = FirstWeights::new(7, &DeviceChoice::Flex.open()?);
/// let network = Network::new(vec![
///     draw.conv2d(1, 8, 3),
///     Layer::Relu,
///     Layer::MaxPool2d(Window::square(2)),
///     Layer::AdaptiveAvgPool2d([4, 4]),
///     Layer::Flatten,
///     draw.linear(8 * 4 * 4, 3),
/// ]);
/// # let x = xai_core::device::Tensor::zeros([2, 1, 12, 12], &DeviceChoice::Flex.open()?);
/// # assert_eq!(network.forward(x).dims(), [2, 3, 1, 1]);
/// # Ok::<(), xai_core::Error>(())
/// ```
pub struct FirstWeights {
    draw: Draw,
    device: Device,
}

impl FirstWeights {
    /// Weights on `device`. The same seed gives the same network, layer by layer.
    #[allow(clippy::clone_on_copy, reason = "no Copy with the feature `cuda`")]
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            draw: Box::new(normal(seed)),
            device: device.clone(),
        }
    }

    /// A convolution with a square kernel of `kernel` pixels, an odd number. Its padding preserves
    /// height and width.
    pub fn conv2d(&mut self, inputs: usize, outputs: usize, kernel: usize) -> Layer {
        let deviation = (2.0 / (inputs * kernel * kernel) as f64).sqrt();
        let weight = (self.draw)(&[outputs, inputs, kernel, kernel], deviation);
        Layer::Conv2d(Conv2d::new(
            Tensor::from_data(weight, &self.device),
            Some(Tensor::zeros([outputs], &self.device)),
            [1, 1],
            [kernel / 2, kernel / 2],
        ))
    }

    /// A fully connected layer.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Layer {
        let weight = (self.draw)(&[outputs, inputs], (2.0 / inputs as f64).sqrt());
        Layer::Linear(Linear {
            weight: Tensor::from_data(weight, &self.device),
            bias: Some(Tensor::zeros([outputs], &self.device)),
        })
    }
}

/// Returns weights for a shape, drawn from a normal distribution with a given standard deviation.
/// All weights of a network come from one random stream.
pub(super) fn normal(seed: u64) -> impl FnMut(&[usize], f64) -> TensorData {
    let mut rng = random::stream(seed, "network/weights");
    move |shape, deviation| {
        let draw = Normal::new(0.0, deviation).expect("a finite deviation");
        let count = shape.iter().product();
        let numbers: Vec<f32> = (0..count).map(|_| draw.sample(&mut rng) as f32).collect();
        TensorData::new(numbers, shape.to_vec())
    }
}

/// Draws the weights of all convolutions and linear layers with a variance of 2 divided by the
/// number of inputs of each output (He et al. 2015, "Delving deep into rectifiers").
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

/// Zeros, whatever the deviation. For a network whose weights will be read from a file.
pub(super) fn zeros(shape: &[usize], _: f64) -> TensorData {
    TensorData::new(vec![0.0f32; shape.iter().product()], shape.to_vec())
}
