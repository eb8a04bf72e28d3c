//! A network on Burn's autodiff, with Burn's own operations only. Our kernels and backward passes are compared with it.

use burn::backend::autodiff::Autodiff;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{TensorData, activation, module};
use rand::{Rng, RngCore};
use xai_core::device::{self, Backend};
use xai_core::network::{Activation, AvgPool2d, Layer, Network};

/// A tensor whose gradient can be asked for.
pub type Tensor<const D: usize> = burn::tensor::Tensor<Autodiff<Backend>, D>;

/// A copy whose gradient is recorded.
pub fn watched<const D: usize>(t: &device::Tensor<D>) -> Tensor<D> {
    Tensor::from_data(t.to_data(), &t.device()).require_grad()
}

/// Weight and bias of a layer, flattened.
pub struct Parameters {
    pub weight: Tensor<1>,
    pub bias: Option<Tensor<1>>,
}

/// The parameters of each layer that has any, in the order of [`Network::named_layers`].
pub fn parameters(network: &Network) -> Vec<Parameters> {
    let of = |(_, layer): (String, &Layer)| {
        let (weight, bias) = match layer {
            Layer::Conv2d(conv) => (conv.weight.clone().flatten(0, 3), conv.bias.as_ref()),
            Layer::Linear(linear) => (linear.weight.clone().flatten(0, 1), linear.bias.as_ref()),
            Layer::BatchNorm2d(norm) => (norm.weight.clone(), Some(&norm.bias)),
            _ => return None,
        };
        Some(Parameters {
            weight: watched(&weight),
            bias: bias.map(watched),
        })
    };
    network.named_layers().into_iter().filter_map(of).collect()
}

/// How a network is run.
#[allow(dead_code, reason = "one test uses the one, another the other")]
pub enum Mode<'a> {
    /// Batch norm by running statistics, no dropout.
    Evaluation,
    /// Batch norm by the batch's own statistics; dropout draws from this.
    Training(&'a mut dyn RngCore),
}

/// The logits.
pub fn forward(
    network: &Network,
    parameters: &[Parameters],
    x: Tensor<4>,
    mut mode: Mode,
) -> Tensor<4> {
    through(&network.layers, &mut parameters.iter(), x, &mut mode)
}

/// The output of a sequence of layers, which take their parameters one after the other.
fn through(
    layers: &[Layer],
    parameters: &mut std::slice::Iter<Parameters>,
    x: Tensor<4>,
    mode: &mut Mode,
) -> Tensor<4> {
    layers.iter().fold(x, |x, layer| {
        let mut own = || parameters.next().expect("a layer with parameters");
        let [n, c, h, w] = x.dims();
        match layer {
            Layer::Conv2d(conv) => {
                let Parameters { weight, bias } = own();
                module::conv2d(
                    x,
                    weight.clone().reshape(conv.weight.dims()),
                    bias.clone(),
                    ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups),
                )
            }
            Layer::Linear(linear) => {
                let Parameters { weight, bias } = own();
                let weight = weight.clone().reshape(linear.weight.dims());
                let y = x.reshape([n, c]).matmul(weight.transpose());
                let [out, _] = linear.weight.dims();
                let y = match bias.clone() {
                    Some(bias) => y + bias.reshape([1, out]),
                    None => y,
                };
                y.reshape([n, out, 1, 1])
            }
            Layer::BatchNorm2d(norm) => {
                let mean = |t: Tensor<4>| t.mean_dim(0).mean_dim(2).mean_dim(3);
                let channels = |t: Tensor<1>| t.reshape([1, c, 1, 1]);
                let running = |t: &device::Tensor<1>| channels(Tensor::from_inner(t.clone()));
                let (centre, variance) = match mode {
                    Mode::Training(_) => {
                        let centre = mean(x.clone());
                        let variance = mean((x.clone() - centre.clone()).square());
                        (centre, variance)
                    }
                    Mode::Evaluation => (running(&norm.mean), running(&norm.variance)),
                };
                let Parameters { weight, bias } = own();
                let bias = bias.clone().expect("a normalisation has a shift");
                (x - centre) / (variance + norm.epsilon).sqrt() * channels(weight.clone())
                    + channels(bias)
            }
            Layer::Relu => activation::relu(x),
            Layer::MaxPool2d(window) => module::max_pool2d(
                x,
                window.kernel,
                window.stride,
                window.padding,
                [1, 1],
                false,
            ),
            Layer::AdaptiveAvgPool2d(output) => module::adaptive_avg_pool2d(x, *output),
            Layer::Flatten => x.reshape([n, c * h * w, 1, 1]),
            Layer::Dropout(rate) => match mode {
                Mode::Evaluation => x,
                Mode::Training(rng) => {
                    let keep = 1.0 - rate;
                    let scale = |kept| if kept { (1.0 / keep) as f32 } else { 0.0 };
                    let mask = (0..n * c * h * w).map(|_| scale(rng.random_bool(keep)));
                    let mask = TensorData::new(mask.collect::<Vec<f32>>(), [n, c, h, w]);
                    let device = x.device();
                    x * Tensor::from_data(mask, &device)
                }
            },
            Layer::Activation(function) => match *function {
                Activation::LeakyRelu(slope) => activation::leaky_relu(x, slope),
                Activation::Elu(alpha) => activation::elu(x, alpha),
                Activation::Gelu => activation::gelu(x),
                Activation::GeluTanh => activation::gelu_approximate(x),
                Activation::Sigmoid => activation::sigmoid(x),
                Activation::Tanh => activation::tanh(x),
            },
            Layer::Softmax => activation::softmax(x, 1),
            Layer::AvgPool2d(AvgPool2d {
                window,
                count_include_pad,
            }) => module::avg_pool2d(
                x,
                window.kernel,
                window.stride,
                window.padding,
                *count_include_pad,
                false,
            ),
            Layer::Residual(block) => {
                let branch = through(&block.branch, parameters, x.clone(), mode);
                branch + through(&block.shortcut, parameters, x, mode)
            }
        }
    })
}
