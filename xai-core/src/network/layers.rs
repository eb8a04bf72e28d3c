//! Layers and the networks made of them: sequences whose every step can be traced and explained.

use super::ops::{self, Window};
use crate::device::{Device, Tensor};

/// One step of a [`Network`]. Activations are `[n, channels, height, width]` throughout;
/// after [`Layer::Flatten`] they are `[n, features, 1, 1]`.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a network has some tens of layers"
)]
pub enum Layer {
    /// A 2-D convolution.
    Conv2d(Conv2d),
    /// A fully connected layer.
    Linear(Linear),
    /// Batch normalisation over each channel.
    BatchNorm2d(BatchNorm2d),
    /// max(x, 0).
    Relu,
    /// The maximum of each window.
    MaxPool2d(Window),
    /// Averages over windows chosen so that the output has this height and width.
    AdaptiveAvgPool2d([usize; 2]),
    /// All features of an image in one row, in the order channel, row, column.
    Flatten,
    /// Sets values to 0 with this probability while training; nothing in evaluation.
    Dropout(f64),
}

/// A 2-D convolution (cross-correlation, as everywhere in this field).
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel height, kernel width]`.
    pub weight: Tensor<4>,
    /// `[out]`.
    pub bias: Option<Tensor<1>>,
    /// Rows, columns.
    pub stride: [usize; 2],
    /// Rows, columns.
    pub padding: [usize; 2],
}

impl Conv2d {
    /// Kernel, stride and padding together, as [`ops`] takes them.
    pub fn window(&self) -> Window {
        let [_, _, kh, kw] = self.weight.dims();
        Window {
            kernel: [kh, kw],
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`, as torch stores it.
    pub weight: Tensor<2>,
    /// `[out]`.
    pub bias: Option<Tensor<1>>,
}

/// Batch normalisation over each channel.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    /// Scale, `[channels]`.
    pub weight: Tensor<1>,
    /// Shift, `[channels]`.
    pub bias: Tensor<1>,
    /// Running mean, `[channels]`.
    pub mean: Tensor<1>,
    /// Running variance, `[channels]`.
    pub variance: Tensor<1>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm2d {
    /// A normalisation of `channels` that has seen nothing yet, with torch's epsilon of 1e-5.
    pub fn identity(channels: usize, device: &Device) -> Self {
        Self {
            weight: Tensor::ones([channels], device),
            bias: Tensor::zeros([channels], device),
            mean: Tensor::zeros([channels], device),
            variance: Tensor::ones([channels], device),
            epsilon: 1e-5,
        }
    }

    /// The affine map that the layer is in evaluation: scale and shift, each `[channels]`.
    pub fn scale_and_shift(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.clone() / (self.variance.clone() + self.epsilon).sqrt();
        let shift = self.bias.clone() - self.mean.clone() * scale.clone();
        (scale, shift)
    }
}

impl Layer {
    /// The layer's output in evaluation mode (no dropout, running statistics).
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv2d(conv) => {
                ops::conv2d(x, conv.weight.clone(), conv.bias.clone(), &conv.window())
            }
            Self::Linear(linear) => ops::linear(x, linear.weight.clone(), linear.bias.clone()),
            Self::BatchNorm2d(norm) => {
                let (scale, shift) = norm.scale_and_shift();
                ops::channel_affine(x, scale, shift)
            }
            Self::Relu => ops::relu(x),
            Self::MaxPool2d(window) => ops::max_pool2d(x, window).0,
            Self::AdaptiveAvgPool2d(output) => ops::adaptive_avg_pool2d(x, *output),
            Self::Flatten => {
                let [n, c, h, w] = x.dims();
                x.reshape([n, c * h * w, 1, 1])
            }
            Self::Dropout(_) => x,
        }
    }
}

/// A sequence of layers from an image to class scores.
#[derive(Clone, Debug)]
pub struct Network {
    /// The layers in order.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Class scores (logits) `[n, classes, 1, 1]` of images `[n, channels, h, w]`, in evaluation mode.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }

    /// The same function (in evaluation mode) without batch norm: each normalisation that follows a
    /// convolution or a linear layer is multiplied into that layer's weights and bias.
    ///
    /// A normalisation elsewhere stays as it is.
    pub fn fold_batch_norm(self) -> Self {
        let mut layers: Vec<Layer> = Vec::with_capacity(self.layers.len());
        for layer in self.layers {
            match (layers.last_mut(), layer) {
                (Some(Layer::Conv2d(conv)), Layer::BatchNorm2d(norm)) => {
                    fold(&mut conv.weight, &mut conv.bias, &norm);
                }
                (Some(Layer::Linear(linear)), Layer::BatchNorm2d(norm)) => {
                    fold(&mut linear.weight, &mut linear.bias, &norm);
                }
                (_, layer) => layers.push(layer),
            }
        }
        Self { layers }
    }

    /// Whether any layer is a batch normalisation.
    pub fn has_batch_norm(&self) -> bool {
        let norm = |layer: &Layer| matches!(layer, Layer::BatchNorm2d(_));
        self.layers.iter().any(norm)
    }

    /// Changes the rate of every dropout.
    pub fn set_dropout(&mut self, rate: f64) {
        for layer in &mut self.layers {
            if let Layer::Dropout(now) = layer {
                *now = rate;
            }
        }
    }

    /// Where the parameters live. A network without parameters computes anywhere; then `None`.
    pub fn device(&self) -> Option<Device> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Conv2d(conv) => Some(conv.weight.device()),
            Layer::Linear(linear) => Some(linear.weight.device()),
            Layer::BatchNorm2d(norm) => Some(norm.weight.device()),
            _ => None,
        })
    }
}

/// Multiplies a normalisation into the layer before it, whose weight is `[out, ..]`.
fn fold<const D: usize>(weight: &mut Tensor<D>, bias: &mut Option<Tensor<1>>, norm: &BatchNorm2d) {
    let (scale, shift) = norm.scale_and_shift();
    let mut shape = [1; D];
    [shape[0]] = scale.dims();
    *bias = Some(match bias.take() {
        Some(bias) => bias * scale.clone() + shift,
        None => shift,
    });
    *weight = weight.clone() * scale.reshape(shape);
}
