//! Networks written down as JSON, with their weights in a file beside.
//!
//! A network is a list of layers, in torch's terms:
//!
//! ```json
//! [{"conv2d": {"in": 1, "out": 8, "kernel": 3, "stride": 1, "padding": 1, "bias": true}},
//!  {"batch_norm2d": {"features": 8, "eps": 1e-5}}, "relu",
//!  {"max_pool2d": {"kernel": 2, "stride": 2, "padding": 0}}, {"adaptive_avg_pool2d": [7, 7]},
//!  "flatten", {"dropout": 0.5}, {"linear": {"in": 392, "out": 2, "bias": true}}]
//! ```
//!
//! A kernel, stride, padding or dilation is a number or `[rows, columns]`. What can be left out is what torch
//! lets one leave out. There are also
//!
//! ```json
//! [{"conv2d": {"in": 8, "out": 8, "kernel": 3, "padding": 2, "dilation": 2, "groups": 8}},
//!  {"avg_pool2d": {"kernel": 3, "stride": 2, "padding": 1, "count_include_pad": false}},
//!  {"leaky_relu": 0.01}, {"elu": 1.0}, "gelu", "gelu_tanh", "sigmoid", "tanh",
//!  {"residual": {"branch": [{"conv2d": {"in": 8, "out": 8, "kernel": 3, "padding": 1}}], "shortcut": []}}]
//! ```
//!
//! where a residual block adds up the outputs of two lists of layers. An empty list hands its
//! input on, as in most shortcuts.
//!
//! Weights are called as torch calls those of a `Sequential`: `0.weight`, `0.bias`,
//! `1.running_mean`, …, where the number is the layer's place in the list, from 0; in a residual
//! block `7.branch.0.weight`. Where a file has other names, a layer can say what they begin with:
//! `{"conv2d": {"name": "encoder.conv1", "in": 1, "out": 8, "kernel": 3}}`. [`load_weights`](super::load_weights) tells which files there may be.
//!
//! Instead of a list there may be a name: `vgg16`, `vgg16_bn` or `resnet18`, torchvision's networks.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::ops::Window;
use super::{
    Activation, AvgPool2d, BatchNorm2d, Conv2d, Layer, Linear, Network, Residual, resnet, vgg,
    weights,
};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Conv2d(Conv2dEntry),
    Linear(LinearEntry),
    BatchNorm2d(BatchNorm2dEntry),
    Relu,
    LeakyRelu(f64),
    Elu(f64),
    Gelu,
    GeluTanh,
    Sigmoid,
    Tanh,
    MaxPool2d(MaxPool2dEntry),
    AvgPool2d(AvgPool2dEntry),
    AdaptiveAvgPool2d(Pair),
    Flatten,
    Dropout(f64),
    Residual(ResidualEntry),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Conv2dEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "in")]
    inputs: usize,
    out: usize,
    kernel: Pair,
    #[serde(default = "one")]
    stride: Pair,
    #[serde(default = "zero")]
    padding: Pair,
    #[serde(default = "one", skip_serializing_if = "Pair::is_one")]
    dilation: Pair,
    #[serde(default = "single", skip_serializing_if = "is_single")]
    groups: usize,
    #[serde(default = "yes")]
    bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LinearEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "in")]
    inputs: usize,
    out: usize,
    #[serde(default = "yes")]
    bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct BatchNorm2dEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    features: usize,
    #[serde(default = "batch_norm_epsilon")]
    eps: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MaxPool2dEntry {
    kernel: Pair,
    stride: Option<Pair>,
    #[serde(default = "zero")]
    padding: Pair,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AvgPool2dEntry {
    kernel: Pair,
    stride: Option<Pair>,
    #[serde(default = "zero")]
    padding: Pair,
    #[serde(default = "yes")]
    count_include_pad: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ResidualEntry {
    branch: Vec<Entry>,
    shortcut: Vec<Entry>,
}

/// A number for both axes, or rows and columns.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a number or [rows, columns]")]
enum Pair {
    Same(usize),
    Each([usize; 2]),
}

impl Pair {
    fn get(self) -> [usize; 2] {
        match self {
            Self::Same(size) => [size, size],
            Self::Each(sizes) => sizes,
        }
    }

    fn is_one(&self) -> bool {
        self.get() == [1, 1]
    }
}

fn one() -> Pair {
    Pair::Same(1)
}

fn single() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_single(groups: &usize) -> bool {
    *groups == 1
}

fn zero() -> Pair {
    Pair::Same(0)
}

fn yes() -> bool {
    true
}

fn batch_norm_epsilon() -> f64 {
    1e-5
}

/// Reads a network: `description` is a JSON file or the name of one of torchvision's networks (then with
/// `classes` classes); `weights` is a file that [`load_weights`](super::load_weights) takes.
///
/// # Errors
/// Files that cannot be read, JSON that is no list of layers, weights that do not fit: all of them
/// are named at once.
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

/// The network that `json` describes, with its weights from among the tensors that `file` holds, on
/// `device`.
///
/// # Errors
/// JSON that is no such list; weights that are missing, no floats or of another shape: all of them
/// are named at once.
pub fn network(json: &str, file: &SafeTensors<'_>, device: &Device) -> Result<Network> {
    let (mut network, names) = untrained(json, device)?;
    weights::take_from(&mut network, &names, file)?;
    Ok(network)
}

/// The network that `json` describes, with weights of zero, and what the names of the weights begin
/// with, for each layer that has any.
fn untrained(json: &str, device: &Device) -> Result<(Network, Vec<String>)> {
    let entries: Vec<Entry> = serde_json::from_str(json)
        .map_err(|problem| Error::invalid(format!("this is no list of layers: {problem}")))?;
    let mut names = Vec::new();
    let layers = layers(entries, "", device, &mut names)?;
    Ok((Network::new(layers), names))
}

/// The list of layers that [`network`] reads, for a network that is there.
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

/// The layers, with weights of zero, whose places are called `within` and a number. `names` gets what
/// the names of their weights begin with.
fn layers(
    entries: Vec<Entry>,
    within: &str,
    device: &Device,
    names: &mut Vec<String>,
) -> Result<Vec<Layer>> {
    let numbered = entries.into_iter().enumerate();
    numbered
        .map(|(at, entry)| layer(&format!("{within}{at}"), entry, device, names))
        .collect()
}

fn layer(at: &str, entry: Entry, device: &Device, names: &mut Vec<String>) -> Result<Layer> {
    let mut named = |name: Option<String>| names.push(name.unwrap_or_else(|| at.to_owned()));
    let zeros = |size: usize| Tensor::<1>::zeros([size], device);
    let sizes = match &entry {
        Entry::Conv2d(conv) => [conv.inputs, conv.out],
        Entry::Linear(linear) => [linear.inputs, linear.out],
        Entry::BatchNorm2d(norm) => [norm.features; 2],
        _ => [1, 1],
    };
    if sizes.contains(&0) {
        return Err(Error::invalid(format!(
            "layer {at}: no layer has 0 channels or features"
        )));
    }
    Ok(match entry {
        Entry::Conv2d(conv) => {
            named(conv.name);
            let kernel @ [kh, kw] = conv.kernel.get();
            let window = window(at, kernel, conv.stride.get(), conv.padding.get())?;
            let (groups, dilation) = (conv.groups, conv.dilation.get());
            if groups == 0 || conv.inputs % groups > 0 || conv.out % groups > 0 {
                return Err(Error::invalid(format!(
                    "layer {at}: {} channels in and {} out do not fall into {groups} groups",
                    conv.inputs, conv.out
                )));
            }
            if dilation.contains(&0) {
                return Err(Error::invalid(format!(
                    "layer {at}: a dilation is at least 1, which is none"
                )));
            }
            Layer::Conv2d(Conv2d {
                weight: Tensor::zeros([conv.out, conv.inputs / groups, kh, kw], device),
                bias: conv.bias.then(|| zeros(conv.out)),
                stride: window.stride,
                padding: window.padding,
                dilation,
                groups,
            })
        }
        Entry::Linear(linear) => {
            named(linear.name);
            Layer::Linear(Linear {
                weight: Tensor::zeros([linear.out, linear.inputs], device),
                bias: linear.bias.then(|| zeros(linear.out)),
            })
        }
        Entry::BatchNorm2d(norm) => {
            named(norm.name);
            Layer::BatchNorm2d(BatchNorm2d {
                epsilon: norm.eps,
                ..BatchNorm2d::identity(norm.features, device)
            })
        }
        Entry::Relu => Layer::Relu,
        Entry::LeakyRelu(slope) => Layer::Activation(Activation::LeakyRelu(slope)),
        Entry::Elu(alpha) => Layer::Activation(Activation::Elu(alpha)),
        Entry::Gelu => Layer::Activation(Activation::Gelu),
        Entry::GeluTanh => Layer::Activation(Activation::GeluTanh),
        Entry::Sigmoid => Layer::Activation(Activation::Sigmoid),
        Entry::Tanh => Layer::Activation(Activation::Tanh),
        Entry::MaxPool2d(pool) => {
            Layer::MaxPool2d(pooling(at, pool.kernel, pool.stride, pool.padding)?)
        }
        Entry::AvgPool2d(pool) => Layer::AvgPool2d(AvgPool2d {
            window: pooling(at, pool.kernel, pool.stride, pool.padding)?,
            count_include_pad: pool.count_include_pad,
        }),
        Entry::AdaptiveAvgPool2d(output) if output.get().contains(&0) => {
            return Err(Error::invalid(format!(
                "layer {at}: an output of no pixels"
            )));
        }
        Entry::AdaptiveAvgPool2d(output) => Layer::AdaptiveAvgPool2d(output.get()),
        Entry::Flatten => Layer::Flatten,
        Entry::Dropout(rate) if !(0.0..=1.0).contains(&rate) => {
            return Err(Error::invalid(format!(
                "layer {at}: {rate} is no probability; dropout takes 0 to 1"
            )));
        }
        Entry::Dropout(rate) => Layer::Dropout(rate),
        Entry::Residual(block) => Layer::Residual(Residual {
            branch: layers(block.branch, &format!("{at}.branch."), device, names)?,
            shortcut: layers(block.shortcut, &format!("{at}.shortcut."), device, names)?,
        }),
    })
}

fn pooling(at: &str, kernel: Pair, stride: Option<Pair>, padding: Pair) -> Result<Window> {
    let stride = stride.unwrap_or(kernel);
    let window = window(at, kernel.get(), stride.get(), padding.get())?;
    // As torch demands: otherwise a window could lie in the padding alone.
    if (0..2).any(|axis| 2 * window.padding[axis] > window.kernel[axis]) {
        return Err(Error::invalid(format!(
            "layer {at}: the padding of a pooling is at most half of its kernel"
        )));
    }
    Ok(window)
}

fn window(at: &str, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Window> {
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(Error::invalid(format!(
            "layer {at}: a kernel and a stride are at least 1"
        )));
    }
    Ok(Window {
        kernel,
        stride,
        padding,
    })
}
