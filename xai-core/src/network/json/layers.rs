//! Creates layers from their description.

use super::format::{Entry, Pair};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};
use crate::network::ops::Window;
use crate::network::{Activation, AvgPool2d, BatchNorm2d, Conv2d, Layer, Linear, Residual};

/// The layers, with weights of zero. Messages and names call them `within` and their position. Adds the
/// prefix of each layer with weights to `names`.
pub(super) fn layers(
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
            "layer {at}: a layer needs at least 1 channel or feature"
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
                    "layer {at}: {} channels in and {} out cannot be divided into {groups} groups",
                    conv.inputs, conv.out
                )));
            }
            if dilation.contains(&0) {
                return Err(Error::invalid(format!(
                    "layer {at}: a dilation must be at least 1, which means none"
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
        Entry::Softmax => Layer::Softmax,
        Entry::MaxPool2d(pool) => {
            Layer::MaxPool2d(pooling(at, pool.kernel, pool.stride, pool.padding)?)
        }
        Entry::AvgPool2d(pool) => Layer::AvgPool2d(AvgPool2d {
            window: pooling(at, pool.kernel, pool.stride, pool.padding)?,
            count_include_pad: pool.count_include_pad,
        }),
        Entry::AdaptiveAvgPool2d(output) if output.get().contains(&0) => {
            return Err(Error::invalid(format!(
                "layer {at}: the output has no pixels"
            )));
        }
        Entry::AdaptiveAvgPool2d(output) => Layer::AdaptiveAvgPool2d(output.get()),
        Entry::Flatten => Layer::Flatten,
        Entry::Dropout(rate) if !(0.0..=1.0).contains(&rate) => {
            return Err(Error::invalid(format!(
                "layer {at}: {rate} is not a probability; dropout takes 0 to 1"
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
    // Torch requires this, too. Otherwise a window could lie entirely in the padding.
    if (0..2).any(|axis| 2 * window.padding[axis] > window.kernel[axis]) {
        return Err(Error::invalid(format!(
            "layer {at}: the padding of a pooling must be at most half of its kernel"
        )));
    }
    Ok(window)
}

fn window(at: &str, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Window> {
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(Error::invalid(format!(
            "layer {at}: a kernel and a stride must be at least 1"
        )));
    }
    Ok(Window {
        kernel,
        stride,
        padding,
    })
}
