//! Layers and networks: sequences whose every step can be traced and explained.

use super::activation::Activation;
use super::conv::Conv2d;
use super::masks::Masks;
use super::ops::{self, Window};
use crate::device::{Device, Tensor, on_a_worker, on_cpu};

/// One step of a [`Network`]. Activations are `[n, channels, height, width]` throughout. After
/// [`Layer::Flatten`], they are `[n, features, 1, 1]`.
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
    /// Another elementwise function.
    Activation(Activation),
    /// Softmax over the channels of each position: positive numbers that sum to 1. A network that
    /// ends in it outputs probabilities instead of logits.
    Softmax,
    /// The maximum of each window.
    MaxPool2d(Window),
    /// The average of each window.
    AvgPool2d(AvgPool2d),
    /// Averages over windows, chosen so that the output has this height and width.
    AdaptiveAvgPool2d([usize; 2]),
    /// All features of an image in one row, in the order channel, row, column.
    Flatten,
    /// Sets values to 0 with this probability during training. It does nothing in evaluation mode,
    /// unless the network's dropout is [active](Network::with_active_dropout).
    Dropout(f64),
    /// Two parallel sequences of layers, whose outputs are added.
    Residual(Residual),
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
    /// A normalisation of `channels` without statistics yet, with torch's epsilon of 1e-5.
    pub fn identity(channels: usize, device: &Device) -> Self {
        Self {
            weight: Tensor::ones([channels], device),
            bias: Tensor::zeros([channels], device),
            mean: Tensor::zeros([channels], device),
            variance: Tensor::ones([channels], device),
            epsilon: 1e-5,
        }
    }

    /// The affine map of the layer in evaluation mode: scale and shift, each `[channels]`.
    pub fn scale_and_shift(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.clone() / (self.variance.clone() + self.epsilon).sqrt();
        let shift = self.bias.clone() - self.mean.clone() * scale.clone();
        (scale, shift)
    }
}

/// The average of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    /// The windows.
    pub window: Window,
    /// Whether zeros of the padding count in the average, which is torch's default.
    pub count_include_pad: bool,
}

/// A residual block (He et al. 2016): the output of `branch` plus the output of `shortcut`. An
/// activation after the sum is a separate layer after the block.
#[derive(Clone, Debug)]
pub struct Residual {
    /// The layers in order.
    pub branch: Vec<Layer>,
    /// The layers in order. If there are none, the input itself is added.
    pub shortcut: Vec<Layer>,
}

impl Layer {
    /// Whether the layer is the same affine map (a matrix and a shift) for every input, so that its
    /// gradient is the same everywhere.
    pub fn is_affine(&self) -> bool {
        match self {
            Self::Conv2d(_) | Self::Linear(_) | Self::BatchNorm2d(_) => true,
            Self::AvgPool2d(_) | Self::AdaptiveAvgPool2d(_) => true,
            Self::Flatten | Self::Dropout(_) => true,
            Self::Relu | Self::Activation(_) | Self::Softmax | Self::MaxPool2d(_) => false,
            Self::Residual(block) => {
                let mut layers = block.branch.iter().chain(&block.shortcut);
                layers.all(Self::is_affine)
            }
        }
    }

    /// Whether the layer has trainable weights. For a residual block, whether one of its layers
    /// has.
    pub fn has_parameters(&self) -> bool {
        match self {
            Self::Conv2d(_) | Self::Linear(_) | Self::BatchNorm2d(_) => true,
            Self::Residual(block) => {
                let mut layers = block.branch.iter().chain(&block.shortcut);
                layers.any(Self::has_parameters)
            }
            _ => false,
        }
    }

    /// Whether the layer takes the maximum of each 2 x 2 pixels.
    pub(crate) fn pools_halves(&self) -> bool {
        matches!(self, Self::MaxPool2d(window) if *window == Window::square(2))
    }

    /// The layer's output in evaluation mode (no dropout, running statistics).
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv2d(conv) => conv.forward(x),
            Self::Linear(linear) => ops::linear(x, linear.weight.clone(), linear.bias.clone()),
            Self::BatchNorm2d(norm) => {
                let (scale, shift) = norm.scale_and_shift();
                ops::channel_affine(x, scale, shift)
            }
            Self::Relu => ops::relu(x),
            Self::Activation(function) => function.forward(x),
            Self::Softmax => burn::tensor::activation::softmax(x, 1),
            Self::MaxPool2d(window) => ops::max_pool2d(x, window).0,
            Self::AvgPool2d(pool) => ops::avg_pool2d(x, &pool.window, pool.count_include_pad),
            Self::AdaptiveAvgPool2d(output) => ops::adaptive_avg_pool2d(x, *output),
            Self::Flatten => {
                let [n, c, h, w] = x.dims();
                x.reshape([n, c * h * w, 1, 1])
            }
            Self::Dropout(_) => x,
            Self::Residual(block) => {
                run(&block.branch, x.clone(), &mut None) + run(&block.shortcut, x, &mut None)
            }
        }
    }
}

/// The output of `layers`, applied one after the other. Without masks, in evaluation mode.
fn run(layers: &[Layer], x: Tensor<4>, masks: &mut Option<Masks>) -> Tensor<4> {
    let mut layers = layers.iter().peekable();
    let mut x = x;
    while let Some(layer) = layers.next() {
        // One pass over memory instead of two or three.
        if let Layer::Conv2d(conv) = layer
            && layers.next_if(|next| matches!(next, Layer::Relu)).is_some()
        {
            x = conv.forward_relu(x);
            continue;
        }
        if let Layer::BatchNorm2d(norm) = layer
            && on_cpu(&x.device())
            && layers.next_if(|next| matches!(next, Layer::Relu)).is_some()
        {
            let (scale, shift) = norm.scale_and_shift();
            x = match layers.next_if(|next| next.pools_halves()) {
                Some(_) => ops::affine_relu_maxima(x, scale, shift).0,
                None => ops::affine_relu(x, scale, shift),
            };
            continue;
        }
        x = match (layer, &mut *masks) {
            (Layer::Dropout(rate), Some(masks)) => {
                let mask = masks.next(*rate, x.dims(), &x.device());
                x * mask
            }
            (Layer::Residual(block), masks @ Some(_)) => {
                run(&block.branch, x.clone(), masks) + run(&block.shortcut, x, masks)
            }
            _ => layer.forward(x),
        };
    }
    x
}

/// A sequence of layers from an image to class scores.
#[derive(Clone, Debug)]
pub struct Network {
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// The seed of dropout that stays on after training.
    pub(super) active_dropout: Option<u64>,
}

impl Network {
    /// These layers in evaluation mode.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self {
            layers,
            active_dropout: None,
        }
    }

    /// Class scores (logits) `[n, classes, 1, 1]` of images `[n, channels, h, w]`, in evaluation
    /// mode or with [active dropout](Self::with_active_dropout). In the latter case, the masks are
    /// those of the rows 0 to n - 1.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let masks = self.masks(x.dims()[0], |row| format!("forward/{row}"));
        self.forward_with(x, masks)
    }

    /// As [`forward`](Self::forward), with these [masks](Self::masks).
    pub fn forward_with(&self, x: Tensor<4>, mut masks: Option<Masks>) -> Tensor<4> {
        let device = x.device();
        on_a_worker(&device, || run(&self.layers, x, &mut masks))
    }

    /// The network without the layers before index `first`.
    pub fn end(&self, first: usize) -> Self {
        Self {
            layers: self.layers[first..].to_vec(),
            active_dropout: self.active_dropout,
        }
    }

    /// The network with the layers of `end` in place of those from index `first` on.
    #[must_use]
    pub fn with_end(&self, first: usize, end: &Self) -> Self {
        let beginning = self.layers[..first].iter();
        Self {
            layers: beginning.chain(&end.layers).cloned().collect(),
            active_dropout: self.active_dropout,
        }
    }

    /// All layers in the order of a forward pass. Residual blocks are replaced by their own layers
    /// (first the branch, then the shortcut). The names are those in torch's `Sequential`: `0`,
    /// `1`, and within a block `2.branch.0`, `2.shortcut.0`.
    pub fn named_layers(&self) -> Vec<(String, &Layer)> {
        fn walk<'a>(layers: &'a [Layer], within: &str, found: &mut Vec<(String, &'a Layer)>) {
            for (at, layer) in layers.iter().enumerate() {
                match layer {
                    Layer::Residual(block) => {
                        walk(&block.branch, &format!("{within}{at}.branch."), found);
                        walk(&block.shortcut, &format!("{within}{at}.shortcut."), found);
                    }
                    layer => found.push((format!("{within}{at}"), layer)),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.layers, "", &mut found);
        found
    }

    /// The layers of [`named_layers`](Self::named_layers), for modification.
    pub fn layers_mut(&mut self) -> Vec<&mut Layer> {
        fn walk<'a>(layers: &'a mut [Layer], found: &mut Vec<&'a mut Layer>) {
            for layer in layers {
                match layer {
                    Layer::Residual(block) => {
                        walk(&mut block.branch, found);
                        walk(&mut block.shortcut, found);
                    }
                    layer => found.push(layer),
                }
            }
        }
        let mut found = Vec::new();
        walk(&mut self.layers, &mut found);
        found
    }

    /// The same function (in evaluation mode) without batch norm. Each normalisation after a
    /// convolution or a linear layer is merged into that layer's weights and bias.
    ///
    /// Other normalisations stay unchanged.
    pub fn fold_batch_norm(self) -> Self {
        Self {
            layers: fold_all(self.layers),
            ..self
        }
    }

    /// Whether any layer is a batch normalisation.
    pub fn has_batch_norm(&self) -> bool {
        let layers = self.named_layers();
        (layers.iter()).any(|(_, layer)| matches!(layer, Layer::BatchNorm2d(_)))
    }

    /// Sets the rate of every dropout.
    pub fn set_dropout(&mut self, rate: f64) {
        for layer in self.layers_mut() {
            if let Layer::Dropout(now) = layer {
                *now = rate;
            }
        }
    }

    /// The number of channels that the network's images must have. `None` if its first layers take
    /// any number. A layer behind a [`Layer::Flatten`] or [`Layer::Linear`] says nothing about it.
    pub fn input_channels(&self) -> Option<usize> {
        let layers = self.named_layers();
        let first = layers.iter().find_map(|(_, layer)| match layer {
            Layer::Conv2d(conv) => Some(Some(conv.inputs())),
            Layer::BatchNorm2d(norm) => Some(Some(norm.weight.dims()[0])),
            Layer::Flatten | Layer::Linear(_) => Some(None),
            _ => None,
        });
        first.flatten()
    }

    /// The number of channels that images with `given` channels have for the network: grey images are
    /// repeated to as many as it takes.
    pub(crate) fn channels_of(&self, given: usize) -> usize {
        match given {
            1 => self.input_channels().unwrap_or(1),
            _ => given,
        }
    }

    /// Whether any layer is a softmax.
    pub fn has_softmax(&self) -> bool {
        let layers = self.named_layers();
        (layers.iter()).any(|(_, layer)| matches!(layer, Layer::Softmax))
    }

    /// Whether the outputs are probabilities, because the last layer is a softmax.
    pub fn ends_in_softmax(&self) -> bool {
        let mut layers = self.layers.iter().rev();
        let last = layers.find(|layer| !matches!(layer, Layer::Flatten));
        matches!(last, Some(Layer::Softmax))
    }

    /// The device of the parameters. `None` for a network without parameters, which computes
    /// anywhere.
    pub fn device(&self) -> Option<Device> {
        (self.named_layers().iter()).find_map(|(_, layer)| match layer {
            Layer::Conv2d(conv) => Some(conv.weight.device()),
            Layer::Linear(linear) => Some(linear.weight.device()),
            Layer::BatchNorm2d(norm) => Some(norm.weight.device()),
            _ => None,
        })
    }
}

/// [`Network::fold_batch_norm`] of a sequence, residual blocks included.
fn fold_all(layers: Vec<Layer>) -> Vec<Layer> {
    let mut folded: Vec<Layer> = Vec::with_capacity(layers.len());
    for layer in layers {
        match (folded.last_mut(), layer) {
            (Some(Layer::Conv2d(conv)), Layer::BatchNorm2d(norm)) => {
                fold(&mut conv.weight, &mut conv.bias, &norm);
            }
            (Some(Layer::Linear(linear)), Layer::BatchNorm2d(norm)) => {
                fold(&mut linear.weight, &mut linear.bias, &norm);
            }
            (_, Layer::Residual(block)) => folded.push(Layer::Residual(Residual {
                branch: fold_all(block.branch),
                shortcut: fold_all(block.shortcut),
            })),
            (_, layer) => folded.push(layer),
        }
    }
    folded
}

/// Merges a normalisation into the layer before it, whose weight is `[out, ..]`.
fn fold<const D: usize>(weight: &mut Tensor<D>, bias: &mut Option<Tensor<1>>, norm: &BatchNorm2d) {
    let (scale, shift) = norm.scale_and_shift();
    scale_outputs(weight, bias, &scale);
    *bias = Some(match bias.take() {
        Some(bias) => bias + shift,
        None => shift,
    });
}

/// Multiplies each output of a layer, whose weight is `[out, ..]`, by its own number.
pub(crate) fn scale_outputs<const D: usize>(
    weight: &mut Tensor<D>,
    bias: &mut Option<Tensor<1>>,
    by: &Tensor<1>,
) {
    let mut shape = [1; D];
    [shape[0]] = by.dims();
    *weight = weight.clone() * by.clone().reshape(shape);
    *bias = bias.take().map(|bias| bias * by.clone());
}
