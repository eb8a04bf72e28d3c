//! Optimisers: descent with momentum as torch.optim.SGD does it (v = m v + g, p = p - rate v), and Adam.

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

/// The rule of an update, which turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Descent with momentum: the paper's.
    Sgd(Sgd),
    /// Adam (Kingma & Ba 2015) with torch's constants and this rate: batch norm
    /// before max pooling gives the first layers gradients a hundred times those of the last, which
    /// one rate for all does not suit.
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

/// What an optimiser remembers of one parameter.
struct Moments {
    /// The velocity, or the running mean of the gradient.
    first: Tensor<1>,
    /// The running mean of the squared gradient (Adam).
    second: Tensor<1>,
}

/// The state of an optimiser over a sequence of layers.
#[derive(Default)]
pub struct State {
    steps: i32,
    /// Of each layer: those of its weight and of its bias.
    layers: Vec<[Option<Moments>; 2]>,
}

impl State {
    /// One update of all parameters of `layers` at learning rate `rate`.
    pub fn update(
        &mut self,
        layers: &mut [Layer],
        gradients: Vec<Option<Gradients>>,
        rate: f64,
        optimizer: &Optimizer,
    ) {
        self.steps += 1;
        self.layers.resize_with(layers.len(), || [None, None]);
        for ((layer, gradients), [weight, bias]) in
            layers.iter_mut().zip(gradients).zip(&mut self.layers)
        {
            if let Some(gradients) = gradients {
                let step = Gradients {
                    weight: step(weight, gradients.weight, optimizer, self.steps),
                    bias: gradients.bias.map(|g| step(bias, g, optimizer, self.steps)),
                };
                descend(layer, &step, rate);
            }
        }
    }
}

/// The direction in which one parameter goes, at a rate of 1.
fn step(
    moments: &mut Option<Moments>,
    g: Tensor<1>,
    optimizer: &Optimizer,
    steps: i32,
) -> Tensor<1> {
    const BETA: [f64; 2] = [0.9, 0.999];
    let old = moments.take().unwrap_or_else(|| Moments {
        first: g.zeros_like(),
        second: g.zeros_like(),
    });
    match optimizer {
        Optimizer::Sgd(sgd) => {
            let first = old.first * sgd.momentum + g;
            *moments = Some(Moments {
                first: first.clone(),
                ..old
            });
            first
        }
        Optimizer::Adam(_) => {
            let first = old.first * BETA[0] + g.clone() * (1.0 - BETA[0]);
            let second = old.second * BETA[1] + g.square() * (1.0 - BETA[1]);
            let unbiased = [&first, &second]
                .into_iter()
                .zip(BETA)
                .map(|(mean, beta)| mean.clone() / (1.0 - beta.powi(steps)));
            let [mean, square]: [Tensor<1>; 2] = unbiased
                .collect::<Vec<_>>()
                .try_into()
                .expect("two moments");
            *moments = Some(Moments { first, second });
            mean / (square.sqrt() + 1e-8)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::network::Linear;

    /// One weight, three gradients; the expected values are torch.optim's (torch 2, float64).
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
        for (optimizer, expected) in expected {
            let mut layers = [Layer::Linear(Linear {
                weight: Tensor::from_data([[0.3]], &device),
                bias: None,
            })];
            let mut state = State::default();
            for (g, expected) in [1.0, -0.5, 0.25].into_iter().zip(expected) {
                let gradients = Gradients {
                    weight: Tensor::from_data([g], &device),
                    bias: None,
                };
                state.update(&mut layers, vec![Some(gradients)], 0.1, &optimizer);
                let Layer::Linear(linear) = &layers[0] else {
                    unreachable!("it is put in above")
                };
                let weight: f32 = linear.weight.clone().into_scalar();
                assert!(
                    (f64::from(weight) - expected).abs() < 1e-6,
                    "{optimizer:?}: {weight}"
                );
            }
        }
    }
}
