//! A network on Burn's autodiff, by Burn's own operations alone: what our kernels and our ways back
//! are held to.

use burn::backend::autodiff::Autodiff;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{activation, module};
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

/// The parameters of each layer.
pub fn parameters(network: &Network) -> Vec<Option<Parameters>> {
    let of = |layer: &Layer| {
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
    network.layers.iter().map(of).collect()
}

/// The logits; in training mode batch norm takes the batch's own statistics. (No dropout.)
pub fn forward(
    network: &Network,
    parameters: &[Option<Parameters>],
    x: Tensor<4>,
    training: bool,
) -> Tensor<4> {
    let layers = network.layers.iter().zip(parameters);
    layers.fold(x, |x, (layer, parameters)| {
        let own = || parameters.as_ref().expect("a layer with parameters");
        let [n, c, h, w] = x.dims();
        match layer {
            Layer::Conv2d(conv) => module::conv2d(
                x,
                own().weight.clone().reshape(conv.weight.dims()),
                own().bias.clone(),
                ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups),
            ),
            Layer::Linear(linear) => {
                let weight = own().weight.clone().reshape(linear.weight.dims());
                let y = x.reshape([n, c]).matmul(weight.transpose());
                let [out, _] = linear.weight.dims();
                let y = match own().bias.clone() {
                    Some(bias) => y + bias.reshape([1, out]),
                    None => y,
                };
                y.reshape([n, out, 1, 1])
            }
            Layer::BatchNorm2d(norm) => {
                let mean = |t: Tensor<4>| t.mean_dim(0).mean_dim(2).mean_dim(3);
                let channels = |t: Tensor<1>| t.reshape([1, c, 1, 1]);
                let running = |t: &device::Tensor<1>| channels(Tensor::from_inner(t.clone()));
                let (centre, variance) = match training {
                    true => {
                        let centre = mean(x.clone());
                        let variance = mean((x.clone() - centre.clone()).square());
                        (centre, variance)
                    }
                    false => (running(&norm.mean), running(&norm.variance)),
                };
                let bias = own().bias.clone().expect("a normalisation has a shift");
                (x - centre) / (variance + norm.epsilon).sqrt() * channels(own().weight.clone())
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
            Layer::Dropout(_) => x,
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
            // The gradients of parameters within a block are nobody's concern here.
            Layer::Residual(block) => {
                let through = |layers: &[Layer], x| {
                    let part = Network::new(layers.to_vec());
                    forward(&part, &self::parameters(&part), x, training)
                };
                through(&block.branch, x.clone()) + through(&block.shortcut, x)
            }
        }
    })
}
