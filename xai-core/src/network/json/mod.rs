//! Networks described in JSON. Their weights are in a separate file.
//!
//! A network is a list of layers. Layers and options have torch's names:
//!
//! ```json
//! [{"conv2d": {"in": 1, "out": 8, "kernel": 3, "stride": 1, "padding": 1, "bias": true}},
//!  {"batch_norm2d": {"features": 8, "eps": 1e-5}}, "relu",
//!  {"max_pool2d": {"kernel": 2, "stride": 2, "padding": 0}}, {"adaptive_avg_pool2d": [7, 7]},
//!  "flatten", {"dropout": 0.5}, {"linear": {"in": 392, "out": 2, "bias": true}}]
//! ```
//!
//! A kernel, stride, padding or dilation is a number or `[rows, columns]`. Options that are optional in torch are
//! optional here. There are also the following layers and options:
//!
//! ```json
//! [{"conv2d": {"in": 8, "out": 8, "kernel": 3, "padding": 2, "dilation": 2, "groups": 8}},
//!  {"avg_pool2d": {"kernel": 3, "stride": 2, "padding": 1, "count_include_pad": false}},
//!  {"leaky_relu": 0.01}, {"elu": 1.0}, "gelu", "gelu_tanh", "sigmoid", "tanh", "softmax",
//!  {"residual": {"branch": [{"conv2d": {"in": 8, "out": 8, "kernel": 3, "padding": 1}}], "shortcut": []}}]
//! ```
//!
//! A residual block adds the outputs of two lists of layers. The output of an empty list is its
//! input, as in most shortcuts.
//!
//! Weights have the names that torch uses in a `Sequential`: `0.weight`, `0.bias`,
//! `1.running_mean`, …. The number is the position of the layer in the list, counted from 0. In a
//! residual block, a name is `7.branch.0.weight`. If a file has other names, a layer can state
//! their prefix: `{"conv2d": {"name": "encoder.conv1", "in": 1, "out": 8, "kernel": 3}}`.
//! [`load_weights`](super::load_weights) lists the supported files.
//!
//! Instead of a list, there can be the name of one of torchvision's networks: `vgg16`, `vgg16_bn`
//! or `resnet18`.

mod format;
mod layers;

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;

use super::init::draw_weights;
use super::{Activation, Layer, Network, resnet, vgg, weights};
use crate::device::Device;
use crate::error::{Error, Result};
use format::{
    AvgPool2dEntry, BatchNorm2dEntry, Conv2dEntry, Entry, LinearEntry, MaxPool2dEntry, Pair,
    ResidualEntry,
};
use layers::layers;

/// Reads a network. `description` is a JSON file, or the name of one of torchvision's networks,
/// which then has `classes` classes. `weights` is any file that
/// [`load_weights`](super::load_weights) reads.
///
/// # Errors
/// If a file cannot be read, if the JSON is not a list of layers, or if weights do not fit. One
/// error lists all weights that do not fit.
pub fn read(description: &str, classes: usize, weights: &Path, device: &Device) -> Result<Network> {
    let known = match description {
        "vgg16" => Some(vgg::torchvision(classes, false, device)),
        "vgg16_bn" => Some(vgg::torchvision(classes, true, device)),
        "resnet18" => Some(resnet::torchvision(classes, device)),
        _ => None,
    };
    if let Some(mut network) = known {
        weights::load_weights(&mut network, weights)?;
        return Ok(network);
    }
    let json = fs::read_to_string(description).map_err(|problem| {
        let names = "`vgg16`, `vgg16_bn` or `resnet18`";
        Error::file(description, format!("{problem}; give a file or {names}"))
    })?;
    let wrong = |problem| Error::file(description, problem);
    let (mut network, names) = untrained(&json, device).map_err(wrong)?;
    weights::load_named(&mut network, &names, weights)?;
    Ok(network)
}

/// The network that `json` describes, on `device`, with weights from the tensors of `file`.
///
/// # Errors
/// If the JSON is not a list of layers, or if weights are missing, are not floats or have another
/// shape. One error lists all weights that do not fit.
pub fn network(json: &str, file: &SafeTensors<'_>, device: &Device) -> Result<Network> {
    let (mut network, names) = untrained(json, device)?;
    weights::take_from(&mut network, &names, file)?;
    Ok(network)
}

/// The untrained network that `json` describes. Weights are drawn with a variance of 2 divided by
/// the number of inputs of each output (He et al. 2015). Biases are 0. The same `seed` gives the
/// same weights.
///
/// # Errors
/// If the JSON is not a list of layers.
pub fn init(json: &str, seed: u64, device: &Device) -> Result<Network> {
    let (mut network, _) = untrained(json, device)?;
    draw_weights(&mut network, seed);
    Ok(network)
}

/// The network that `json` describes, with weights of zero, and the prefix of the names of each
/// layer with weights.
fn untrained(json: &str, device: &Device) -> Result<(Network, Vec<String>)> {
    let entries: Vec<Entry> = serde_json::from_str(json)
        .map_err(|problem| Error::invalid(format!("this is not a list of layers: {problem}")))?;
    let mut names = Vec::new();
    let layers = layers(entries, "", device, &mut names)?;
    Ok((Network::new(layers), names))
}

/// The list of layers that [`network`] reads, written from an existing network.
pub fn describe(network: &Network) -> String {
    let entries: Vec<Entry> = network.layers.iter().map(entry).collect();
    serde_json::to_string(&entries).expect("numbers and names are always JSON")
}

fn entry(layer: &Layer) -> Entry {
    match layer {
        Layer::Conv2d(conv) => {
            let [out, _, kh, kw] = conv.weight.dims();
            Entry::Conv2d(Conv2dEntry {
                name: None,
                inputs: conv.inputs(),
                out,
                kernel: Pair::Each([kh, kw]),
                stride: Pair::Each(conv.stride),
                padding: Pair::Each(conv.padding),
                dilation: Pair::Each(conv.dilation),
                groups: conv.groups,
                bias: conv.bias.is_some(),
            })
        }
        Layer::Linear(linear) => {
            let [out, inputs] = linear.weight.dims();
            Entry::Linear(LinearEntry {
                name: None,
                inputs,
                out,
                bias: linear.bias.is_some(),
            })
        }
        Layer::BatchNorm2d(norm) => Entry::BatchNorm2d(BatchNorm2dEntry {
            name: None,
            features: norm.weight.dims()[0],
            eps: norm.epsilon,
        }),
        Layer::Relu => Entry::Relu,
        Layer::Activation(function) => match *function {
            Activation::LeakyRelu(slope) => Entry::LeakyRelu(slope),
            Activation::Elu(alpha) => Entry::Elu(alpha),
            Activation::Gelu => Entry::Gelu,
            Activation::GeluTanh => Entry::GeluTanh,
            Activation::Sigmoid => Entry::Sigmoid,
            Activation::Tanh => Entry::Tanh,
        },
        Layer::Softmax => Entry::Softmax,
        Layer::MaxPool2d(window) => Entry::MaxPool2d(MaxPool2dEntry {
            kernel: Pair::Each(window.kernel),
            stride: Some(Pair::Each(window.stride)),
            padding: Pair::Each(window.padding),
        }),
        Layer::AvgPool2d(pool) => Entry::AvgPool2d(AvgPool2dEntry {
            kernel: Pair::Each(pool.window.kernel),
            stride: Some(Pair::Each(pool.window.stride)),
            padding: Pair::Each(pool.window.padding),
            count_include_pad: pool.count_include_pad,
        }),
        Layer::AdaptiveAvgPool2d(output) => Entry::AdaptiveAvgPool2d(Pair::Each(*output)),
        Layer::Flatten => Entry::Flatten,
        Layer::Dropout(rate) => Entry::Dropout(*rate),
        Layer::Residual(block) => Entry::Residual(ResidualEntry {
            branch: block.branch.iter().map(entry).collect(),
            shortcut: block.shortcut.iter().map(entry).collect(),
        }),
    }
}
