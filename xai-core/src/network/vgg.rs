//! VGG-16 (Simonyan & Zisserman 2014, configuration D, without batch norm): the network of the
//! paper, at any width. Because of its average pooling, it takes images of any size of at least 32
//! pixels.

use serde::{Deserialize, Serialize};

use super::conv::Conv2d;
use super::init::{normal, zeros};
use super::layers::{BatchNorm2d, Layer, Linear, Network};
use super::ops::Window;
use crate::device::{Device, Tensor};
use burn::tensor::TensorData;

/// Output channels of the convolutions of each of the five blocks at full width.
const BLOCKS: [&[usize]; 5] = [
    &[64, 64],
    &[128, 128],
    &[256, 256, 256],
    &[512, 512, 512],
    &[512, 512, 512],
];

/// What determines the shape of a VGG-16.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VggConfig {
    /// Channels and fully connected features are divided by this; 1 is the paper's network.
    pub width_divisor: usize,
    /// Rows and columns of the features before the classifier, after the average pooling. 7 in the
    /// paper's network; fewer are useful for images smaller than 224 pixels.
    pub pooled: usize,
    /// The dropout rate during training; 0.5 in the paper's network.
    pub dropout: f64,
    /// Classes.
    pub classes: usize,
}

impl VggConfig {
    /// A network with weights drawn as in torchvision's `vgg16(weights=None)`: convolutions have a
    /// variance of 2 / (out * k^2), and biases are zero. Linear layers have a variance of 2 / in
    /// instead of torchvision's 0.01^2, which at an eighth of the width would almost silence them.
    /// For an untrained network this makes no difference, because it only scales all attributions.
    ///
    /// With `batch_norm`, a normalisation follows each layer except the last, for a training that
    /// ends with [`Network::fold_batch_norm`].
    pub fn init(&self, batch_norm: bool, seed: u64, device: &Device) -> Network {
        self.build([batch_norm; 2], normal(seed), device)
    }

    /// The layers. `weight` returns weights for a shape and a standard deviation. `batch_norm` says
    /// whether normalisations follow the convolutions and the linear layers.
    fn build(
        &self,
        batch_norm: [bool; 2],
        mut weight: impl FnMut(&[usize], f64) -> TensorData,
        device: &Device,
    ) -> Network {
        let mut layers = Vec::new();
        let mut inputs = 3;
        for block in BLOCKS {
            for &outputs in block {
                let outputs = outputs / self.width_divisor;
                let deviation = (2.0 / (outputs * 9) as f64).sqrt();
                layers.push(Layer::Conv2d(Conv2d::new(
                    Tensor::from_data(weight(&[outputs, inputs, 3, 3], deviation), device),
                    Some(Tensor::zeros([outputs], device)),
                    [1, 1],
                    [1, 1],
                )));
                if batch_norm[0] {
                    layers.push(Layer::BatchNorm2d(BatchNorm2d::identity(outputs, device)));
                }
                layers.push(Layer::Relu);
                inputs = outputs;
            }
            layers.push(Layer::MaxPool2d(Window::square(2)));
        }
        let side = self.pooled;
        layers.push(Layer::AdaptiveAvgPool2d([side, side]));
        layers.push(Layer::Flatten);
        let hidden = 4096 / self.width_divisor;
        let mut linear = |inputs: usize, outputs: usize| {
            Layer::Linear(Linear {
                weight: Tensor::from_data(
                    weight(&[outputs, inputs], (2.0 / inputs as f64).sqrt()),
                    device,
                ),
                bias: Some(Tensor::zeros([outputs], device)),
            })
        };
        for inputs in [inputs * side * side, hidden] {
            layers.push(linear(inputs, hidden));
            if batch_norm[1] {
                layers.push(Layer::BatchNorm2d(BatchNorm2d::identity(hidden, device)));
            }
            layers.extend([Layer::Relu, Layer::Dropout(self.dropout)]);
        }
        layers.push(linear(hidden, self.classes));
        Network::new(layers)
    }
}

/// torchvision's `vgg16` or `vgg16_bn` with weights of zero, into which weights are loaded.
pub(super) fn torchvision(classes: usize, batch_norm: bool, device: &Device) -> Network {
    let config = VggConfig {
        width_divisor: 1,
        pooled: 7,
        dropout: 0.5,
        classes,
    };
    config.build([batch_norm, false], zeros, device)
}
