//! Stochastic gradient descent with momentum, as torch.optim.SGD does it: v = m v + g, p = p - rate v.

use serde::{Deserialize, Serialize};

use super::backward::Gradients;
use crate::device::Tensor;
use crate::network::Layer;

/// The optimiser's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// Learning rate of the first epoch.
    pub rate: f64,
    /// Momentum; the paper's is 0.5.
    pub momentum: f64,
}

impl Sgd {
    /// Plain descent at this learning rate.
    pub fn rate(rate: f64) -> Self {
        Self {
            rate,
            momentum: 0.0,
        }
    }

    /// With this momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }
}

/// The velocities of the parameters of a sequence of layers.
#[derive(Default)]
pub(super) struct Velocity {
    layers: Vec<Option<Gradients>>,
}

impl Velocity {
    /// One update of all parameters of `layers` at learning rate `rate`.
    pub fn update(
        &mut self,
        layers: &mut [Layer],
        gradients: Vec<Option<Gradients>>,
        rate: f64,
        sgd: &Sgd,
    ) {
        let first = self.layers.is_empty();
        if first {
            self.layers = gradients;
        } else {
            for (velocity, gradients) in self.layers.iter_mut().zip(gradients) {
                if let (Some(velocity), Some(gradients)) = (velocity, gradients) {
                    let step = |v: &Tensor<1>, g: Tensor<1>| v.clone() * sgd.momentum + g;
                    velocity.weight = step(&velocity.weight, gradients.weight);
                    if let (Some(v), Some(g)) = (&mut velocity.bias, gradients.bias) {
                        *v = step(v, g);
                    }
                }
            }
        }
        for (layer, velocity) in layers.iter_mut().zip(&self.layers) {
            if let Some(velocity) = velocity {
                descend(layer, velocity, rate);
            }
        }
    }
}

fn descend(layer: &mut Layer, velocity: &Gradients, rate: f64) {
    fn down<const D: usize>(p: &mut Tensor<D>, v: &Tensor<1>, rate: f64) {
        let shape = p.dims();
        let step = v.clone().reshape(shape) * rate;
        *p = p.clone() - step;
    }
    let bias = match layer {
        Layer::Conv2d(conv) => {
            down(&mut conv.weight, &velocity.weight, rate);
            conv.bias.as_mut()
        }
        Layer::Linear(linear) => {
            down(&mut linear.weight, &velocity.weight, rate);
            linear.bias.as_mut()
        }
        Layer::BatchNorm2d(norm) => {
            down(&mut norm.weight, &velocity.weight, rate);
            Some(&mut norm.bias)
        }
        _ => None,
    };
    if let (Some(bias), Some(velocity)) = (bias, &velocity.bias) {
        down(bias, velocity, rate);
    }
}
