//! The networks that the public code trains by Keras, and that three of its methods explain.

use ndarray::{Array, Array2, Array4, Axis, Dimension, s};
use safetensors::SafeTensors;
use xai_core::device::{Device, Tensor};
use xai_core::network::ops::Window;
use xai_core::network::{Conv2d, Layer, Linear};
use xai_core::tetromino::prelude::*;

/// The weights from which all runs of the paper begin, drawn again by TensorFlow (`keras_start.py`).
const START: &[u8] = include_bytes!("keras_start.safetensors");

/// An untrained Keras network of the public code at 8 x 8, for images that are turned by 180 degrees
/// (`Tetromino::turned`). It has no softmax: its loss applies the only one.
///
/// The CNN pads its images on the right and at the bottom only. The fourth convolution has a single
/// pixel left, which only one weight of the kernel sees.
pub fn keras_network(model: Architecture, device: &Device) -> Network {
    let layers = match model {
        Architecture::Linear => vec![Layer::Flatten, dense(turned("linear.0"), false, device)],
        Architecture::Mlp => {
            let mut layers = vec![Layer::Flatten, dense(turned("mlp.0"), true, device)];
            for name in ["mlp.1", "mlp.2", "mlp.3"] {
                layers.extend([Layer::Relu, dense(array(name), true, device)]);
            }
            layers
        }
        Architecture::Cnn => {
            let mut layers = Vec::new();
            for name in ["cnn.0", "cnn.1", "cnn.2"] {
                let mut kernel: Array4<f32> = array(name);
                kernel.invert_axis(Axis(0));
                kernel.invert_axis(Axis(1));
                layers.extend([
                    convolution(kernel, 1, device),
                    Layer::Relu,
                    Layer::MaxPool2d(Window::square(2)),
                ]);
            }
            let kernel: Array4<f32> = array("cnn.3");
            let kernel = kernel.slice_move(s![..1, ..1, .., ..]);
            layers.extend([
                convolution(kernel, 0, device),
                Layer::Relu,
                Layer::Flatten,
                dense(array("cnn.4"), true, device),
            ]);
            layers
        }
    };
    Network::new(layers)
}

/// A first layer `[inputs, outputs]`, for turned images.
fn turned(name: &str) -> Array2<f32> {
    let mut weight = array(name);
    weight.invert_axis(Axis(0));
    weight
}

/// A dense layer of the weights `[inputs, outputs]`. Biases begin at 0.
fn dense(weight: Array2<f32>, bias: bool, device: &Device) -> Layer {
    let outputs = weight.dim().1;
    let weight = tensor(&weight.reversed_axes(), device);
    let bias = bias.then(|| Tensor::zeros([outputs], device));
    Layer::Linear(Linear { weight, bias })
}

/// A convolution of the kernels `[height, width, inputs, outputs]`.
fn convolution(kernel: Array4<f32>, padding: usize, device: &Device) -> Layer {
    let outputs = kernel.dim().3;
    let weight = tensor(&kernel.permuted_axes([3, 2, 0, 1]), device);
    let bias = Some(Tensor::zeros([outputs], device));
    Layer::Conv2d(Conv2d::new(weight, bias, [1, 1], [padding, padding]))
}

fn tensor<const D: usize, I: Dimension>(values: &Array<f32, I>, device: &Device) -> Tensor<D> {
    let shape: [usize; D] = values.shape().try_into().expect("as many axes");
    let numbers: Vec<f32> = values.iter().copied().collect();
    Tensor::<1>::from_data(numbers.as_slice(), device).reshape(shape)
}

fn array<D: Dimension>(name: &str) -> Array<f32, D> {
    let file = SafeTensors::deserialize(START).expect("a file of this crate");
    let tensor = file.tensor(name).expect("a tensor of this file");
    let numbers = tensor.data().as_chunks::<4>().0;
    let numbers = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes));
    Array::from_shape_vec(tensor.shape(), numbers.collect())
        .expect("a value for each place")
        .into_dimensionality()
        .expect("as many axes as the layer has")
}
