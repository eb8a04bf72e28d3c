//! Patterns: what each linear unit responds to, estimated from data (Kindermans et al. 2018,
//! "Learning how to explain neural networks: PatternNet and PatternAttribution").
//!
//! The weights of a unit y = w x show how to cancel distractors. They do not show what the signal
//! is (Haufe et al. 2014). The direction a of the signal is estimated from how input and output
//! vary together. For a unit with a ReLU, only examples in which it is active count:
//!
//! a = (E+\[x y\] - E+\[x\] E\[y\]) / (w E+\[x y\] - w E+\[x\] E\[y\])
//!
//! E+ is the mean over the examples in which the ReLU passes. y is without the bias. For a unit
//! without a ReLU, E+ is the mean over all examples.

use ndarray::{ArrayView4, s};

use super::model::Explainable;
use super::rules::Rule;
use super::trace::{Step, Trace};
use crate::device::{Device, DeviceChoice, Tensor, memory_for_passes};
use crate::error::{Error, Result};
use crate::network::ops::Window;
use crate::network::{Conv2d, Layer, Linear, Network, shapes};

/// The largest number of images that go through the network together.
const MOST: usize = 256;

/// Which examples the patterns of a unit without a ReLU are fitted to, such as those of the last
/// layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatternEstimator {
    /// All examples, as the paper defines it (Kindermans et al. 2018, section 4).
    #[default]
    Linear,
    /// Those with a positive output, as if a ReLU followed. iNNvestigate 1.0.9 fits all layers like
    /// this unless it is told otherwise (`pattern_type=None` means "relu" in its
    /// `analyzer/pattern_based.py`), so published maps may be of this kind.
    ///
    /// Of a convolution, outputs beyond the last whole window of the pooling behind it do not count. No later
    /// layer sees them, and a Keras network with the padding "same" has none.
    ReluEverywhere,
}

/// The patterns of a network: the network with patterns instead of weights, and without biases.
#[derive(Clone, Debug)]
pub struct Patterns {
    /// The layers with patterns as weights. Their shape is that of the weights, `[out, in, ..]`.
    layers: Vec<Layer>,
}

impl Patterns {
    /// Fits the patterns of all convolutions and fully connected layers to `images` `[n, c, h, w]`,
    /// such as the network's training images. Grey images are repeated for a network that takes three
    /// channels. A unit that is never active gets a pattern of zeros.
    ///
    /// # Errors
    /// If there are no images, if they do not fit the network, or if the network has residual blocks or batch normalisation (call
    /// [`fold_batch_norm`](Network::fold_batch_norm) first).
    pub fn fit(network: &Network, images: ArrayView4<f32>) -> Result<Self> {
        Self::fit_by(PatternEstimator::default(), network, images)
    }

    /// As [`fit`](Self::fit), with another estimator.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_by(
        estimator: PatternEstimator,
        network: &Network,
        images: ArrayView4<f32>,
    ) -> Result<Self> {
        let (_, c, h, w) = images.dim();
        let device = device_of(network)?;
        let of_one = network.bytes([network.channels_of(c), h, w]).max(1);
        let together = (memory_for_passes(&device) / of_one).clamp(1, MOST);
        Self::fit_together(estimator, network, images, together)
    }

    /// [`fit_by`](Self::fit_by) with this many images in a pass.
    fn fit_together(
        estimator: PatternEstimator,
        network: &Network,
        images: ArrayView4<f32>,
        together: usize,
    ) -> Result<Self> {
        let unfit = |layer: &Layer| matches!(layer, Layer::Residual(_) | Layer::BatchNorm2d(_));
        if images.is_empty() || network.layers.iter().any(unfit) {
            return Err(Error::invalid(
                "patterns are fitted to at least one image, of a network without residual blocks and batch \
                 normalisation; fold that into the layers before it by `fold_batch_norm`",
            ));
        }
        let device = device_of(network)?;
        let mut sums: Vec<Option<Sums>> = network.layers.iter().map(Sums::of).collect();
        let (n, c, h, w) = images.dim();
        let channels = network.channels_of(c);
        shapes(network, [channels, h, w])?;
        for first in (0..n).step_by(together) {
            let part = images.slice(s![first..n.min(first + together), .., .., ..]);
            let trace = Trace::new(
                &network.layers,
                upload(part, &device).repeat_dim(1, channels / c),
                None,
            );
            for (at, (step, sums)) in trace.steps().zip(&mut sums).enumerate() {
                let everywhere = estimator == PatternEstimator::ReluEverywhere;
                let behind = network.layers[at + 1..].iter();
                let mut behind = behind.filter(|layer| !matches!(layer, Layer::Dropout(_)));
                let next = [behind.next(), behind.next()];
                let with_relu = everywhere || matches!(next[0], Some(Layer::Relu));
                let [.., h, w] = step.output.dims();
                let seen = match next {
                    [Some(Layer::MaxPool2d(window)), _]
                    | [Some(Layer::Relu), Some(Layer::MaxPool2d(window))]
                        if everywhere =>
                    {
                        seen(*window, [h, w])
                    }
                    _ => [h, w],
                };
                if let Some(sums) = sums {
                    sums.add(&step, with_relu, seen)?;
                }
            }
        }
        let layers = network.layers.iter().zip(sums);
        let layers = layers.map(|(layer, sums)| match sums {
            Some(sums) => sums.pattern(layer, &device),
            None => Ok(layer.clone()),
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// The layers, with patterns instead of weights.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The patterns times the network's weights, for PatternAttribution.
    ///
    /// # Errors
    /// If the patterns were fitted to a network with other layers.
    pub fn times_weights(&self, network: &Network) -> Result<Self> {
        self.check(network)?;
        let both = self
            .layers
            .iter()
            .zip(&network.layers)
            .map(|both| match both {
                (Layer::Conv2d(pattern), Layer::Conv2d(conv)) => {
                    let weight = pattern.weight.clone() * conv.weight.clone();
                    Layer::Conv2d(Conv2d {
                        weight,
                        ..pattern.clone()
                    })
                }
                (Layer::Linear(pattern), Layer::Linear(linear)) => Layer::Linear(Linear {
                    weight: pattern.weight.clone() * linear.weight.clone(),
                    bias: None,
                }),
                (layer, _) => layer.clone(),
            });
        Ok(Self {
            layers: both.collect(),
        })
    }

    /// Checks that the patterns fit the network.
    ///
    /// # Errors
    /// If the patterns were fitted to a network with other layers.
    pub fn check(&self, network: &Network) -> Result<()> {
        let shape = |layer: &Layer| match layer {
            Layer::Conv2d(conv) => conv.weight.dims().to_vec(),
            Layer::Linear(linear) => linear.weight.dims().to_vec(),
            _ => Vec::new(),
        };
        let shapes = |layers: &[Layer]| -> Vec<Vec<usize>> { layers.iter().map(shape).collect() };
        if shapes(&self.layers) == shapes(&network.layers) {
            Ok(())
        } else {
            Err(Error::invalid(
                "these patterns are of a network with other layers; fit patterns to the network that is explained",
            ))
        }
    }
}

/// Backpropagation in which the weights of every linear layer are its patterns. Everything else is
/// the gradient.
impl Rule for Patterns {
    fn affine(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let layer = &self.layers[step.index];
        Step { layer, ..*step }.pull_back(flow)
    }
}

/// The sums over examples from which a layer's patterns are computed. Each position of a
/// convolution is a separate example.
struct Sums {
    /// Per output: the number of examples, the number in which it is active, and the sum of y over
    /// all.
    counts: Vec<[f64; 3]>,
    /// Per output and input: the sums of x and of x y over the active examples.
    x: Vec<f64>,
    xy: Vec<f64>,
}

impl Sums {
    fn of(layer: &Layer) -> Option<Self> {
        let (outputs, weights) = match layer {
            Layer::Conv2d(conv) => (conv.weight.dims()[0], conv.weight.dims().iter().product()),
            Layer::Linear(linear) => (
                linear.weight.dims()[0],
                linear.weight.dims().iter().product(),
            ),
            _ => return None,
        };
        Some(Self {
            counts: vec![[0.0; 3]; outputs],
            x: vec![0.0; weights],
            xy: vec![0.0; weights],
        })
    }

    /// Adds the examples of a step. Only the first `seen` rows and columns of outputs count.
    fn add(&mut self, step: &Step<'_>, with_relu: bool, seen: [usize; 2]) -> Result<()> {
        let output = step.output.clone();
        let mut active = if with_relu {
            output.clone().greater_elem(0.0).float()
        } else {
            output.ones_like()
        };
        let [n, outputs, h, w] = output.dims();
        let is_seen = |place: usize| place / w % h < seen[0] && place % w < seen[1];
        if seen != [h, w] {
            let mask: Vec<f32> = (0..h * w).map(|place| is_seen(place).into()).collect();
            let mask = Tensor::<1>::from_data(mask.as_slice(), &active.device());
            active = active * mask.reshape([1, 1, h, w]);
        }
        let bias = match step.layer {
            Layer::Conv2d(conv) => &conv.bias,
            Layer::Linear(linear) => &linear.bias,
            _ => unreachable!("only these have sums"),
        };
        let y = match bias {
            Some(bias) => {
                output
                    - bias
                        .clone()
                        .reshape([1, outputs, 1, 1])
                        .expand([n, outputs, h, w])
            }
            None => output,
        };
        // A sum of products of inputs and values at the outputs has the form of a gradient of the
        // weights.
        for (sum, at_output) in [
            (&mut self.x, active.clone()),
            (&mut self.xy, active.clone() * y.clone()),
        ] {
            for (sum, value) in sum.iter_mut().zip(numbers(weight_grad(step, at_output))?) {
                *sum += f64::from(value);
            }
        }
        let (active, y) = (numbers(active)?, numbers(y)?);
        let examples = active.into_iter().zip(y).enumerate();
        for (place, (active, y)) in examples.filter(|(place, _)| is_seen(*place)) {
            let counts = &mut self.counts[place / (h * w) % outputs];
            for (count, value) in counts.iter_mut().zip([1.0, active, y]) {
                *count += f64::from(value);
            }
        }
        Ok(())
    }

    /// The layer with its patterns as weights.
    fn pattern(self, layer: &Layer, device: &Device) -> Result<Layer> {
        let weight = match layer {
            Layer::Conv2d(conv) => numbers(conv.weight.clone())?,
            Layer::Linear(linear) => numbers(linear.weight.clone().unsqueeze::<4>())?,
            _ => unreachable!("only these have sums"),
        };
        let inputs = weight.len() / self.counts.len();
        let mut pattern = vec![0.0f32; weight.len()];
        for (output, [all, active, y]) in self.counts.into_iter().enumerate() {
            if active == 0.0 {
                continue;
            }
            let range = output * inputs..(output + 1) * inputs;
            let sums = self.x[range.clone()].iter().zip(&self.xy[range.clone()]);
            let covariance: Vec<f64> = sums
                .map(|(x, xy)| xy / active - x / active * (y / all))
                .collect();
            let along = covariance.iter().zip(&weight[range.clone()]);
            let along: f64 = along
                .map(|(covariance, &weight)| covariance * f64::from(weight))
                .sum();
            for (pattern, covariance) in pattern[range].iter_mut().zip(covariance) {
                *pattern = if along == 0.0 {
                    0.0
                } else {
                    (covariance / along) as f32
                };
            }
        }
        let data = |shape: Vec<usize>| burn::tensor::TensorData::new(pattern, shape);
        Ok(match layer {
            Layer::Conv2d(conv) => Layer::Conv2d(Conv2d {
                weight: Tensor::from_data(data(conv.weight.dims().to_vec()), device),
                bias: None,
                ..conv.clone()
            }),
            Layer::Linear(linear) => Layer::Linear(Linear {
                weight: Tensor::from_data(data(linear.weight.dims().to_vec()), device),
                bias: None,
            }),
            _ => unreachable!("only these have sums"),
        })
    }
}

/// The rows and columns, of `size` ones, that lie in a window of a maximum pooling.
fn seen(window: Window, size: [usize; 2]) -> [usize; 2] {
    let windows = window.output(size);
    std::array::from_fn(|axis| {
        let end = (windows[axis] - 1) * window.stride[axis] + window.kernel[axis];
        (end - window.padding[axis]).min(size[axis])
    })
}

/// The sums over examples of the input times the values at the outputs, in the order of the
/// weights.
fn weight_grad(step: &Step<'_>, at_output: Tensor<4>) -> Tensor<4> {
    match step.layer {
        Layer::Conv2d(conv) => conv.weight_grad(step.input.clone(), at_output),
        _ => {
            let [n, outputs, ..] = at_output.dims();
            let inputs = step.input.dims()[1];
            let g = at_output.reshape([n, outputs]).transpose();
            g.matmul(step.input.clone().reshape([n, inputs]))
                .unsqueeze()
        }
    }
}

fn device_of(network: &Network) -> Result<Device> {
    (network.device()).map_or_else(|| DeviceChoice::Flex.open(), Ok)
}

fn upload(images: ArrayView4<f32>, device: &Device) -> Tensor<4> {
    let (n, c, h, w) = images.dim();
    let values: Vec<f32> = images.iter().copied().collect();
    Tensor::from_data(burn::tensor::TensorData::new(values, [n, c, h, w]), device)
}

fn numbers(tensor: Tensor<4>) -> Result<Vec<f32>> {
    let values = tensor.into_data().into_vec::<f32>();
    values.map_err(|problem| Error::invalid(format!("{problem:?}")))
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::network::json;

    #[test]
    fn images_in_other_numbers_a_pass_give_the_same_patterns() {
        let device = DeviceChoice::Flex.open().unwrap();
        let layers = r#"[{"conv2d": {"in": 3, "out": 4, "kernel": 3}}, "relu", "flatten",
            {"linear": {"in": 144, "out": 2}}]"#;
        let network = json::init(layers, 5, &device).unwrap();
        let images = Array4::from_shape_fn((40, 1, 8, 8), |(n, _, y, x)| {
            ((n * 64 + y * 8 + x) as f32).sin()
        });
        let fit = |together| {
            let estimator = PatternEstimator::Linear;
            let fitted = Patterns::fit_together(estimator, &network, images.view(), together);
            let fitted = fitted.unwrap();
            let mut values = Vec::new();
            for layer in fitted.layers() {
                values.extend(match layer {
                    Layer::Conv2d(conv) => numbers(conv.weight.clone()).unwrap(),
                    Layer::Linear(linear) => numbers(linear.weight.clone().unsqueeze()).unwrap(),
                    _ => Vec::new(),
                });
            }
            values
        };
        let [few, all] = [3, 256].map(fit);
        let largest = all
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(largest > 0.0 && few.len() == 4 * 27 + 288);
        for (few, all) in few.iter().zip(&all) {
            assert!((few - all).abs() < 1e-6 * largest, "{few} and {all}");
        }
    }
}
