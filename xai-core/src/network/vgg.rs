//! VGG-16 (Simonyan & Zisserman 2014, configuration D, without batch norm): the network of the
//! paper, at any width. Its average pooling
//! makes it take images of any size from 32 pixels on.

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
    /// Rows and columns of the features that the classifier sees: the average pooling's output.
    /// 7 in the paper's network; less makes sense where images are smaller than 224 pixels.
    pub pooled: usize,
    /// Share of the features that dropout silences while training; 0.5 in the paper's network.
    pub dropout: f64,
    /// Classes.
    pub classes: usize,
}

impl VggConfig {
    /// A network with weights drawn as torchvision draws them for `vgg16(weights=None)`:
    /// convolutions with a variance of 2 / (out * k^2), biases zero. Linear layers have a variance
    /// of 2 / in, not torchvision's 0.01^2: at an eighth of the width that would all but silence
    /// them. For an untrained network it makes no difference, as it only scales every attribution.
    ///
    /// With `batch_norm`, a normalisation follows each layer but the last, for a training that
    /// ends with [`Network::fold_batch_norm`].
    pub fn init(&self, batch_norm: bool, seed: u64, device: &Device) -> Network {
        self.build([batch_norm; 2], normal(seed), device)
    }

    /// The layers, with weights as `weight` gives them for a shape and a standard deviation.
    /// `batch_norm` tells whether normalisations follow the convolutions and the linear layers.
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
            layers.push(Layer::MaxPool2d(Window {
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
            }));
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

/// torchvision's `vgg16`, or its `vgg16_bn`, with weights of zero: to be loaded.
pub(super) fn torchvision(classes: usize, batch_norm: bool, device: &Device) -> Network {
    let config = VggConfig {
        width_divisor: 1,
        pooled: 7,
        dropout: 0.5,
        classes,
    };
    config.build([batch_norm, false], zeros, device)
}
