//! Shapes of all activations, computed in advance. If a network and images do not fit, there is an
//! error instead of a panic, and memory can be planned.

use super::layers::{AvgPool2d, Layer, Network};
use super::ops::Window;
use crate::error::{Error, Result};

/// The shapes `[channels, height, width]` of an image in the network. Entry i is the input of layer
/// i. The last one is the class scores `[classes, 1, 1]`.
///
/// # Errors
/// If a layer cannot take its input, or if the network does not end in class scores.
pub(crate) fn shapes(network: &Network, input: [usize; 3]) -> Result<Vec<[usize; 3]>> {
    let shapes = Walk { input, values: 0 }.through(&network.layers, "", input)?;
    match shapes.last() {
        Some([_, 1, 1]) => Ok(shapes),
        shape => Err(Error::invalid(format!(
            "the network ends in {:?} (channels, height, width) instead of one score per class; \
             it lacks its last layers",
            shape.unwrap_or(&input)
        ))),
    }
}

/// The number of values in a trace of one image, including those inside residual blocks.
///
/// # Errors
/// As [`shapes`].
pub(crate) fn traced_values(network: &Network, input: [usize; 3]) -> Result<usize> {
    let mut walk = Walk { input, values: 0 };
    walk.through(&network.layers, "", input)?;
    Ok(walk.values)
}

/// Walks through a network and computes only shapes.
struct Walk {
    /// The image's shape.
    input: [usize; 3],
    /// The number of values in all activations so far.
    values: usize,
}

impl Walk {
    /// The shapes of the inputs of `layers`, and of their output. `within` is the prefix of the
    /// layers' names.
    fn through(
        &mut self,
        layers: &[Layer],
        within: &str,
        mut shape: [usize; 3],
    ) -> Result<Vec<[usize; 3]>> {
        let mut shapes = vec![shape];
        for (at, layer) in layers.iter().enumerate() {
            self.values += shape.iter().product::<usize>();
            shape = match layer {
                Layer::Residual(block) => {
                    let mut end = |part: &str, layers: &[Layer]| {
                        let shapes = self.through(layers, &format!("{within}{at}.{part}."), shape)?;
                        Ok(shapes[layers.len()])
                    };
                    let branch = end("branch", &block.branch)?;
                    let shortcut = end("shortcut", &block.shortcut)?;
                    if branch != shortcut {
                        return Err(Error::invalid(format!(
                            "layer {within}{at} of the network cannot add what its branch gives, \
                             {branch:?} (channels, height, width), to what its shortcut gives, {shortcut:?}"
                        )));
                    }
                    branch
                }
                layer => output(layer, shape).map_err(|needs| {
                    Error::invalid(format!(
                        "layer {within}{at} of the network {needs}, but an image of {:?} (channels, \
                         height, width) arrives there as {shape:?}; give images of the size that the \
                         network was made for",
                        self.input
                    ))
                })?,
            };
            shapes.push(shape);
        }
        self.values += shape.iter().product::<usize>();
        Ok(shapes)
    }
}

fn output(layer: &Layer, [c, h, w]: [usize; 3]) -> Result<[usize; 3], String> {
    let channels = |wanted: usize| {
        if c == wanted {
            Ok(())
        } else {
            Err(format!("takes {wanted} channels"))
        }
    };
    match layer {
        Layer::Conv2d(conv) => {
            let [out, ..] = conv.weight.dims();
            channels(conv.inputs())?;
            let [h, w] = windows(&conv.window(), [h, w])?;
            Ok([out, h, w])
        }
        Layer::Linear(linear) => {
            let [out, features] = linear.weight.dims();
            if [c, h, w] == [features, 1, 1] {
                Ok([out, 1, 1])
            } else {
                Err(format!("takes {features} features"))
            }
        }
        Layer::BatchNorm2d(norm) => channels(norm.weight.dims()[0]).map(|()| [c, h, w]),
        Layer::MaxPool2d(window) | Layer::AvgPool2d(AvgPool2d { window, .. }) => {
            let [h, w] = windows(window, [h, w])?;
            Ok([c, h, w])
        }
        Layer::AdaptiveAvgPool2d([h, w]) => Ok([c, *h, *w]),
        Layer::Flatten => Ok([c * h * w, 1, 1]),
        Layer::Relu | Layer::Activation(_) | Layer::Softmax | Layer::Dropout(_) => Ok([c, h, w]),
        Layer::Residual(_) => unreachable!("a walk goes through it"),
    }
}

/// The number of windows that fit, as rows and columns.
fn windows(window: &Window, size: [usize; 2]) -> Result<[usize; 2], String> {
    let mut fitting = [0; 2];
    for axis in 0..2 {
        let padded = size[axis] + 2 * window.padding[axis];
        fitting[axis] = match padded.checked_sub(window.kernel[axis]) {
            Some(room) => room / window.stride[axis] + 1,
            None => return Err(format!("has windows of {:?} pixels", window.kernel)),
        };
    }
    Ok(fitting)
}
