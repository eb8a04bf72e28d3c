//! ResNet-18 (He et al. 2016), as torchvision builds it.

use burn::tensor::TensorData;

use super::conv::Conv2d;
use super::init::{normal, zeros};
use super::layers::{BatchNorm2d, Layer, Linear, Network, Residual};
use super::ops::Window;
use crate::device::{Device, Tensor};

/// Channels of the four stages. Each stage has two blocks.
const STAGES: [usize; 4] = [64, 128, 256, 512];

impl Network {
    /// A ResNet-18 for images of 3 channels and at least 32 pixels per side. The weights of its
    /// convolutions are drawn as in torchvision: with a variance of 2 / (out * k^2). The linear
    /// layer has a variance of 2 / in, as in [`VggConfig::init`](super::VggConfig::init).
    pub fn resnet18(classes: usize, seed: u64, device: &Device) -> Self {
        build(classes, normal(seed), device)
    }
}

/// torchvision's `resnet18` with weights of zero, into which weights are loaded.
pub(super) fn torchvision(classes: usize, device: &Device) -> Network {
    build(classes, zeros, device)
}

/// The layers. `weight` returns weights for a shape and a standard deviation.
fn build(
    classes: usize,
    mut weight: impl FnMut(&[usize], f64) -> TensorData,
    device: &Device,
) -> Network {
    // A convolution that keeps the size (except for the stride), and its normalisation.
    let mut conv = |inputs: usize, outputs: usize, kernel: usize, stride: usize| {
        let deviation = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
        let shape = [outputs, inputs, kernel, kernel];
        let weight = Tensor::from_data(weight(&shape, deviation), device);
        let conv = Layer::Conv2d(Conv2d::new(weight, None, [stride; 2], [kernel / 2; 2]));
        let norm = Layer::BatchNorm2d(BatchNorm2d::identity(outputs, device));
        [conv, norm]
    };
    let mut layers = Vec::from(conv(3, STAGES[0], 7, 2));
    layers.extend([
        Layer::Relu,
        Layer::MaxPool2d(Window {
            kernel: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
        }),
    ]);
    let mut inputs = STAGES[0];
    for outputs in STAGES {
        // The first block of a stage halves the size, except in the first stage.
        for stride in [outputs / inputs, 1] {
            let mut branch = Vec::from(conv(inputs, outputs, 3, stride));
            branch.push(Layer::Relu);
            branch.extend(conv(outputs, outputs, 3, 1));
            let shortcut = match stride {
                1 => Vec::new(),
                _ => conv(inputs, outputs, 1, stride).into(),
            };
            layers.push(Layer::Residual(Residual { branch, shortcut }));
            layers.push(Layer::Relu);
            inputs = outputs;
        }
    }
    layers.extend([Layer::AdaptiveAvgPool2d([1, 1]), Layer::Flatten]);
    let deviation = (2.0 / inputs as f64).sqrt();
    layers.push(Layer::Linear(Linear {
        weight: Tensor::from_data(weight(&[classes, inputs], deviation), device),
        bias: Some(Tensor::zeros([classes], device)),
    }));
    Network::new(layers)
}
