//! Optimisers: gradient descent with momentum as in torch.optim.SGD (v = m v + g, p = p - rate v),
//! and Adam.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::backward::Gradients;
use crate::device::{Tensor, on_a_worker, on_cpu, vectorised};
use crate::network::ops::{self, Gradient};
use crate::network::{Layer, Network};

/// The optimiser's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// Learning rate of the first epoch.
    pub rate: f64,
    /// The fraction of the velocity that is kept from step to step.
    pub momentum: f64,
}

impl Sgd {
    /// Plain gradient descent with this learning rate.
    pub fn rate(rate: f64) -> Self {
        Self {
            rate,
            momentum: 0.0,
        }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }
}

/// The rule of an update, which turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Gradient descent with momentum.
    Sgd(Sgd),
    /// Adam (Kingma & Ba 2015) with torch's constants and this rate. Batch norm before max pooling
    /// gives the first layers gradients a hundred times those of the last. A single rate for all
    /// layers does not suit them.
    Adam(f64),
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        Self::Sgd(sgd)
    }
}

impl Optimizer {
    /// Learning rate of the first epoch.
    pub fn rate(&self) -> f64 {
        match self {
            Self::Sgd(sgd) => sgd.rate,
            Self::Adam(rate) => *rate,
        }
    }
}

/// The state of an optimiser during a training.
#[derive(Default)]
pub struct OptimizerState {
    steps: i32,
    /// For each layer with parameters: the state for its weight and for its bias.
    layers: Vec<[Moments; 2]>,
}

/// The state for one parameter, flattened: the velocity, or the running means of the gradient and
/// of its square (Adam). Empty before the first step.
type Moments = Vec<Tensor<1>>;

impl OptimizerState {
    /// One update of all parameters of `network` with learning rate `rate`, by the gradients of a
    /// [step](super::backward::step).
    pub fn update(
        &mut self,
        network: &mut Network,
        gradients: Vec<Gradients>,
        rate: f64,
        optimizer: &Optimizer,
    ) {
        self.steps += 1;
        self.layers.resize_with(gradients.len(), Default::default);
        let update = Update {
            optimizer,
            rate,
            steps: self.steps,
        };
        let Some(device) = network.device() else {
            return;
        };
        let layers = network.layers_mut().into_iter();
        let layers = layers.filter(|layer| layer.has_parameters());
        let layers: Vec<_> = layers.zip(gradients).zip(&mut self.layers).collect();
        let one = |((layer, gradients), moments)| update.layer(layer, gradients, moments);
        on_a_worker(&device, || {
            if on_cpu(&device) {
                layers.into_par_iter().for_each(one);
            } else {
                layers.into_iter().for_each(one);
            }
        });
    }
}

/// The data that all parameters share in one step.
struct Update<'a> {
    optimizer: &'a Optimizer,
    rate: f64,
    /// The number of the step, counted from 1.
    steps: i32,
}

impl Update<'_> {
    /// Updates the parameters of a layer.
    fn layer(
        &self,
        layer: &mut Layer,
        Gradients { weight, bias }: Gradients,
        [of_weight, of_bias]: &mut [Moments; 2],
    ) {
        let parameter = match layer {
            Layer::Conv2d(conv) => {
                self.apply(&mut conv.weight, of_weight, weight);
                conv.bias.as_mut()
            }
            Layer::Linear(linear) => {
                self.apply(&mut linear.weight, of_weight, weight);
                linear.bias.as_mut()
            }
            Layer::BatchNorm2d(norm) => {
                self.apply(&mut norm.weight, of_weight, weight);
                Some(&mut norm.bias)
            }
            _ => None,
        };
        if let (Some(parameter), Some(bias)) = (parameter, bias) {
            self.apply(parameter, of_bias, Gradient::Numbers(bias));
        }
    }

    /// Updates one parameter and its moments. On a CPU, this is done in place in one pass over
    /// each.
    fn apply<const D: usize>(&self, p: &mut Tensor<D>, moments: &mut Moments, g: Gradient) {
        let (shape, device) = (p.dims(), p.device());
        // With a second reference, the parameter's numbers would be copied.
        let flat = std::mem::replace(p, Tensor::empty([0; D], &device)).flatten(0, D - 1);
        let here = on_cpu(&device);
        let new = match self.optimizer {
            Optimizer::Sgd(sgd) => {
                let [v] = taken(moments, &flat);
                let [p, v] = if here {
                    sgd_here([flat, v], g, sgd.momentum, self.rate)
                } else {
                    sgd_there([flat, v], g.into_numbers(), sgd.momentum, self.rate)
                };
                moments.push(v);
                p
            }
            Optimizer::Adam(_) => {
                let [mean, square] = taken(moments, &flat);
                let [p, mean, square] = if here {
                    adam_here([flat, mean, square], g, self.rate, self.steps)
                } else {
                    let g = g.into_numbers();
                    adam_there([flat, mean, square], g, self.rate, self.steps)
                };
                moments.extend([mean, square]);
                p
            }
        };
        *p = new.reshape(shape);
    }
}

/// The moments of a parameter, zeros before the first step.
fn taken<const K: usize>(moments: &mut Moments, p: &Tensor<1>) -> [Tensor<1>; K] {
    let known = std::mem::take(moments).try_into();
    known.unwrap_or_else(|_| std::array::from_fn(|_| p.zeros_like()))
}

/// v = m v + g, p = p - rate v.
fn sgd_here([p, v]: [Tensor<1>; 2], g: Gradient, momentum: f64, rate: f64) -> [Tensor<1>; 2] {
    let (momentum, rate) = (momentum as f32, rate as f32);
    ops::update([p, v], g, |[p, v], g| sgd(p, v, g, momentum, rate))
}

vectorised! {
    fn sgd(p: &mut [f32], v: &mut [f32], g: &[f32], momentum: f32, rate: f32) {
        for ((p, v), g) in p.iter_mut().zip(v).zip(g) {
            *v = momentum * *v + g;
            *p -= rate * *v;
        }
    }
}

/// The same with Burn's operations.
fn sgd_there([p, v]: [Tensor<1>; 2], g: Tensor<1>, momentum: f64, rate: f64) -> [Tensor<1>; 2] {
    let v = v * momentum + g;
    [p - v.clone() * rate, v]
}

/// The fraction of Adam's running means that is kept in a step.
const BETA: [f64; 2] = [0.9, 0.999];
/// Keeps Adam's divisor from 0.
const EPSILON: f64 = 1e-8;

/// The corrections that make the running means unbiased after this many steps.
fn corrections(steps: i32) -> [f64; 2] {
    BETA.map(|beta| 1.0 / (1.0 - beta.powi(steps)))
}

/// Updates the running means, and then p = p - rate mean / (sqrt(square) + epsilon) with the
/// unbiased ones.
fn adam_here(tensors: [Tensor<1>; 3], g: Gradient, rate: f64, steps: i32) -> [Tensor<1>; 3] {
    let corrections = corrections(steps).map(|x| x as f32);
    let rate = rate as f32;
    ops::update(tensors, g, |[p, mean, square], g| {
        adam(p, mean, square, g, rate, corrections)
    })
}

vectorised! {
    fn adam(p: &mut [f32], mean: &mut [f32], square: &mut [f32], g: &[f32], rate: f32, corrections: [f32; 2]) {
        let (keep, add) = (BETA.map(|x| x as f32), BETA.map(|x| (1.0 - x) as f32));
        let [of_mean, of_square] = corrections;
        for (((p, mean), square), g) in p.iter_mut().zip(mean).zip(square).zip(g) {
            *mean = keep[0] * *mean + add[0] * g;
            *square = keep[1] * *square + add[1] * (g * g);
            *p -= rate * (of_mean * *mean) / ((of_square * *square).sqrt() + EPSILON as f32);
        }
    }
}

/// The same with Burn's operations.
fn adam_there(
    [p, mean, square]: [Tensor<1>; 3],
    g: Tensor<1>,
    rate: f64,
    steps: i32,
) -> [Tensor<1>; 3] {
    let [of_mean, of_square] = corrections(steps);
    let mean = mean * BETA[0] + g.clone() * (1.0 - BETA[0]);
    let square = square * BETA[1] + g.square() * (1.0 - BETA[1]);
    let divisor = (square.clone() * of_square).sqrt() + EPSILON;
    let p = p - mean.clone() * of_mean * rate / divisor;
    [p, mean, square]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, Products, as_on_gpu};
    use crate::network::Linear;

    /// One weight and three gradients. The expected values are those of torch.optim (torch 2,
    /// float64).
    #[test]
    fn steps_are_torchs() {
        let device = DeviceChoice::Flex.open().unwrap();
        let sgd = Sgd::rate(0.1).momentum(0.5).into();
        let expected = [
            (sgd, [0.2, 0.2, 0.175]),
            (
                Optimizer::Adam(0.1),
                [0.200000001, 0.173366297, 0.139323383],
            ),
        ];
        // In place, and as on a GPU.
        let test = || {
            for (optimizer, expected) in expected {
                let mut network = Network::new(vec![Layer::Linear(Linear {
                    weight: Tensor::from_data([[0.3]], &device),
                    bias: None,
                })]);
                let mut state = OptimizerState::default();
                for (g, expected) in [1.0, -0.5, 0.25].into_iter().zip(expected) {
                    let gradients = Gradients {
                        weight: Gradient::Numbers(Tensor::from_data([g], &device)),
                        bias: None,
                    };
                    state.update(&mut network, vec![gradients], 0.1, &optimizer);
                    let Layer::Linear(linear) = &network.layers[0] else {
                        unreachable!("it is put in above")
                    };
                    let weight: f32 = linear.weight.clone().into_scalar();
                    assert!(
                        (f64::from(weight) - expected).abs() < 1e-6,
                        "{optimizer:?}: {weight}"
                    );
                }
            }
        };
        test();
        as_on_gpu(Products::Fast, test);
    }
}
