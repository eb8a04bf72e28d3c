//! VGG-16 (Simonyan & Zisserman 2014, configuration D, without batch norm): the network of the
//! paper, at any width and input size.

use rand_distr::{Distribution as _, Normal};
use serde::{Deserialize, Serialize};

use super::layers::{BatchNorm2d, Conv2d, Layer, Linear, Network};
use super::ops::Window;
use crate::device::{Device, Tensor};
use crate::random;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VggConfig {
    /// Channels and fully connected features are divided by this; 1 is the paper's network.
    pub width_divisor: usize,
    /// Height and width of the input in pixels; a multiple of 32.
    pub size: usize,
    /// Classes.
    pub classes: usize,
}

impl VggConfig {
    /// A network with weights drawn as torchvision draws them for `vgg16(weights=None)`:
    /// convolutions from N(0, 2 / (out * k^2)), linear layers from N(0, 0.01), biases zero.
    ///
    /// With `batch_norm`, a normalisation follows each convolution (torchvision's `vgg16_bn`),
    /// for a pre-training that ends with [`Network::fold_batch_norm`].
    ///
    /// The average pooling keeps torchvision's place but not its 7 x 7: the classifier sees the
    /// last block's own `size / 32` rows, which at 224 pixels are those 7, and at a smaller size
    /// would be repeated.
    pub fn init(&self, batch_norm: bool, seed: u64, device: &Device) -> Network {
        let mut rng = random::stream(seed, "network/weights");
        let mut normal = |shape: &[usize], deviation: f64| {
            let draw = Normal::new(0.0, deviation).expect("a finite deviation");
            let count = shape.iter().product();
            let numbers: Vec<f32> = (0..count).map(|_| draw.sample(&mut rng) as f32).collect();
            TensorData::new(numbers, shape.to_vec())
        };
        let mut layers = Vec::new();
        let mut inputs = 3;
        for block in BLOCKS {
            for &outputs in block {
                let outputs = outputs / self.width_divisor;
                let deviation = (2.0 / (outputs * 9) as f64).sqrt();
                layers.push(Layer::Conv2d(Conv2d {
                    weight: Tensor::from_data(normal(&[outputs, inputs, 3, 3], deviation), device),
                    bias: Some(Tensor::zeros([outputs], device)),
                    stride: [1, 1],
                    padding: [1, 1],
                }));
                if batch_norm {
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
        let side = self.size / 32;
        layers.push(Layer::AdaptiveAvgPool2d([side, side]));
        layers.push(Layer::Flatten);
        let hidden = 4096 / self.width_divisor;
        let mut linear = |inputs: usize, outputs: usize| {
            Layer::Linear(Linear {
                weight: Tensor::from_data(normal(&[outputs, inputs], 0.01), device),
                bias: Some(Tensor::zeros([outputs], device)),
            })
        };
        layers.extend([
            linear(inputs * side * side, hidden),
            Layer::Relu,
            Layer::Dropout(0.5),
            linear(hidden, hidden),
            Layer::Relu,
            Layer::Dropout(0.5),
            linear(hidden, self.classes),
        ]);
        Network { layers }
    }
}
