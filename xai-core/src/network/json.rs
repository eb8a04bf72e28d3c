//! Networks written down as JSON, with their weights in a safetensors file.
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
//! A kernel, stride or padding is a number or `[rows, columns]`. What can be left out is what torch
//! lets one leave out. Weights are called as torch calls those of a `Sequential`: `0.weight`,
//! `0.bias`, `1.running_mean`, …, where the number is the layer's place in the list, from 0.
//!
//! Instead of a list there may be a name: `vgg16`, with torchvision's names for its weights.

use std::fs;
use std::path::Path;

use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::ops::Window;
use super::vgg::BLOCKS;
use super::{BatchNorm2d, Conv2d, Layer, Linear, Network};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Conv2d(Conv2dEntry),
    Linear(LinearEntry),
    BatchNorm2d(BatchNorm2dEntry),
    Relu,
    MaxPool2d(MaxPool2dEntry),
    AdaptiveAvgPool2d(Pair),
    Flatten,
    Dropout(f64),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Conv2dEntry {
    #[serde(rename = "in")]
    inputs: usize,
    out: usize,
    kernel: Pair,
    #[serde(default = "one")]
    stride: Pair,
    #[serde(default = "zero")]
    padding: Pair,
    #[serde(default = "yes")]
    bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LinearEntry {
    #[serde(rename = "in")]
    inputs: usize,
    out: usize,
    #[serde(default = "yes")]
    bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct BatchNorm2dEntry {
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
}

fn one() -> Pair {
    Pair::Same(1)
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

/// Reads a network: `description` is a JSON file, or `vgg16` (torchvision's, for images of 3 x 224 x
/// 224, with `classes` classes); `weights` is a safetensors file.
///
/// # Errors
/// Files that cannot be read, and as for [`network`].
pub fn read(description: &str, classes: usize, weights: &Path, device: &Device) -> Result<Network> {
    let bytes = fs::read(weights).map_err(|problem| Error::file(weights, problem))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|problem| Error::file(weights, format!("is no safetensors file ({problem})")))?;
    if description == "vgg16" {
        return build(vgg16(classes), &file, device);
    }
    let json = fs::read_to_string(description).map_err(|problem| {
        Error::file(description, format!("{problem}; give a file or `vgg16`"))
    })?;
    network(&json, &file, device).map_err(|problem| Error::file(description, problem))
}

/// The network that `json` describes, with the weights that `file` holds, on `device`.
///
/// # Errors
/// JSON that is no such list; weights that are missing, not float32 or of another shape: all of them
/// are named at once.
pub fn network(json: &str, file: &SafeTensors<'_>, device: &Device) -> Result<Network> {
    let entries: Vec<Entry> = serde_json::from_str(json)
        .map_err(|problem| Error::invalid(format!("this is no list of layers: {problem}")))?;
    let numbered = entries.into_iter().enumerate();
    let named = numbered.map(|(index, entry)| (index.to_string(), entry));
    build(named.collect(), file, device)
}

/// The list of layers that [`network`] reads, for a network that is there.
pub fn describe(network: &Network) -> String {
    let entry = |layer: &Layer| match layer {
        Layer::Conv2d(conv) => {
            let [out, inputs, kh, kw] = conv.weight.dims();
            Entry::Conv2d(Conv2dEntry {
                inputs,
                out,
                kernel: Pair::Each([kh, kw]),
                stride: Pair::Each(conv.stride),
                padding: Pair::Each(conv.padding),
                bias: conv.bias.is_some(),
            })
        }
        Layer::Linear(linear) => {
            let [out, inputs] = linear.weight.dims();
            Entry::Linear(LinearEntry {
                inputs,
                out,
                bias: linear.bias.is_some(),
            })
        }
        Layer::BatchNorm2d(norm) => Entry::BatchNorm2d(BatchNorm2dEntry {
            features: norm.weight.dims()[0],
            eps: norm.epsilon,
        }),
        Layer::Relu => Entry::Relu,
        Layer::MaxPool2d(window) => Entry::MaxPool2d(MaxPool2dEntry {
            kernel: Pair::Each(window.kernel),
            stride: Some(Pair::Each(window.stride)),
            padding: Pair::Each(window.padding),
        }),
        Layer::AdaptiveAvgPool2d(output) => Entry::AdaptiveAvgPool2d(Pair::Each(*output)),
        Layer::Flatten => Entry::Flatten,
        Layer::Dropout(rate) => Entry::Dropout(*rate),
    };
    let entries: Vec<Entry> = network.layers.iter().map(entry).collect();
    serde_json::to_string(&entries).expect("numbers and names are always JSON")
}

/// Builds the layers, each under the name that its weights begin with.
fn build(
    entries: Vec<(String, Entry)>,
    file: &SafeTensors<'_>,
    device: &Device,
) -> Result<Network> {
    let mut weights = Weights {
        file,
        device,
        problems: Vec::new(),
    };
    let layers = entries
        .into_iter()
        .map(|(name, entry)| layer(&name, entry, &mut weights))
        .collect::<Result<_>>()?;
    match weights.problems.as_slice() {
        [] => Ok(Network { layers }),
        problems => {
            let mut names = file.names();
            names.sort_unstable();
            Err(Error::invalid(format!(
                "the weights do not fit the network:\n  {}\nthe file holds: {}",
                problems.join("\n  "),
                names.join(", ")
            )))
        }
    }
}

fn layer(at: &str, entry: Entry, weights: &mut Weights<'_>) -> Result<Layer> {
    let named = |name: &str| format!("{at}.{name}");
    Ok(match entry {
        Entry::Conv2d(conv) => {
            let kernel = conv.kernel.get();
            let window = window(at, kernel, conv.stride.get(), conv.padding.get())?;
            let shape = [conv.out, conv.inputs, kernel[0], kernel[1]];
            Layer::Conv2d(Conv2d {
                weight: weights.take(&named("weight"), shape),
                bias: conv.bias.then(|| weights.take(&named("bias"), [conv.out])),
                stride: window.stride,
                padding: window.padding,
            })
        }
        Entry::Linear(linear) => Layer::Linear(Linear {
            weight: weights.take(&named("weight"), [linear.out, linear.inputs]),
            bias: (linear.bias).then(|| weights.take(&named("bias"), [linear.out])),
        }),
        Entry::BatchNorm2d(norm) => {
            let mut channels = |name| weights.take(&named(name), [norm.features]);
            Layer::BatchNorm2d(BatchNorm2d {
                weight: channels("weight"),
                bias: channels("bias"),
                mean: channels("running_mean"),
                variance: channels("running_var"),
                epsilon: norm.eps,
            })
        }
        Entry::Relu => Layer::Relu,
        Entry::MaxPool2d(pool) => {
            let stride = pool.stride.unwrap_or(pool.kernel);
            let window = window(at, pool.kernel.get(), stride.get(), pool.padding.get())?;
            // As torch demands: otherwise a window could lie in the padding alone.
            if (0..2).any(|axis| 2 * window.padding[axis] > window.kernel[axis]) {
                return Err(Error::invalid(format!(
                    "layer {at}: the padding of a pooling is at most half of its kernel"
                )));
            }
            Layer::MaxPool2d(window)
        }
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
    })
}

/// VGG-16 as torchvision builds and names it.
fn vgg16(classes: usize) -> Vec<(String, Entry)> {
    let mut features = Vec::new();
    let mut inputs = 3;
    for block in BLOCKS {
        for &out in block {
            features.push(Entry::Conv2d(Conv2dEntry {
                inputs,
                out,
                kernel: Pair::Same(3),
                stride: one(),
                padding: Pair::Same(1),
                bias: true,
            }));
            features.push(Entry::Relu);
            inputs = out;
        }
        features.push(Entry::MaxPool2d(MaxPool2dEntry {
            kernel: Pair::Same(2),
            stride: None,
            padding: zero(),
        }));
    }
    let linear = |inputs, out| {
        Entry::Linear(LinearEntry {
            inputs,
            out,
            bias: true,
        })
    };
    let classifier = [
        linear(512 * 49, 4096),
        Entry::Relu,
        Entry::Dropout(0.5),
        linear(4096, 4096),
        Entry::Relu,
        Entry::Dropout(0.5),
        linear(4096, classes),
    ];
    let between = [Entry::AdaptiveAvgPool2d(Pair::Same(7)), Entry::Flatten];
    let part = |name: &'static str, entries: Vec<Entry>| {
        let numbered = entries.into_iter().enumerate();
        numbered.map(move |(index, entry)| (format!("{name}.{index}"), entry))
    };
    part("features", features)
        .chain(part("avgpool", between.into()))
        .chain(part("classifier", classifier.into()))
        .collect()
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

/// The file of weights, and what was found wrong with it so far.
struct Weights<'a> {
    file: &'a SafeTensors<'a>,
    device: &'a Device,
    problems: Vec<String>,
}

impl Weights<'_> {
    /// The tensor called `name`; if it is not there as it should be, zeros and a note.
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Tensor<D> {
        match self.find(name, &shape) {
            Ok(values) => Tensor::from_data(TensorData::new(values, shape), self.device),
            Err(problem) => {
                self.problems.push(format!("{name}: {problem}"));
                Tensor::zeros(shape, self.device)
            }
        }
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let Ok(tensor) = self.file.tensor(name) else {
            return Err(format!("missing, should be {shape:?}"));
        };
        if tensor.shape() != shape {
            return Err(format!("is {:?}, should be {shape:?}", tensor.shape()));
        }
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("is {:?}, should be F32", tensor.dtype()));
        }
        let values = tensor.data().as_chunks::<4>().0.iter();
        Ok(values.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}
