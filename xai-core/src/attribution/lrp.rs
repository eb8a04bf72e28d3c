//! The rules of layer-wise relevance propagation for affine layers, as tables, and composites that
//! assign a rule to each layer (Montavon et al. 2019). Equal to zennit's.
//!
//! Every rule distributes the relevance R of an output among the inputs according to their
//! contributions in a variant of the layer, for example one with positive weights only. A rule is a
//! list of `Variants`. For each entry, `z` is the sum of its variants, and an input receives
//! `x * d/dx of (R / z) z`.

use super::rules::{Rule, stabilised};
use super::trace::{Step, index_of_first};
use crate::device::Tensor;
use crate::network::{Conv2d, Layer, Linear};

/// Keeps divisions away from 0, like zennit's stabilizer.
const STABILIZER: f64 = 1e-6;

/// How an affine layer distributes the relevance of its outputs among its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LrpRule {
    /// By contribution, with `z + epsilon sign(z)` in the denominator (Bach et al. 2015, equation
    /// 58).
    Epsilon(f64),
    /// By positive contribution (z+; Montavon et al. 2017), bias included.
    ZPlus,
    /// The same without the bias, as in deep Taylor decomposition.
    ZPlusWithoutBias,
    /// By contribution, with contributions of the output's sign strengthened by gamma (Montavon et
    /// al. 2019).
    Gamma(f64),
    /// alpha times by positive contribution minus beta times by negative contribution (Bach et al.
    /// 2015, equation 60). alpha - beta = 1 conserves relevance.
    AlphaBeta {
        /// Weight of the positive contributions.
        alpha: f64,
        /// Weight of the negative contributions.
        beta: f64,
    },
    /// For pixels between `low` and `high` (zB; Montavon et al. 2017): by `x w - low w+ - high w-`.
    ZBox {
        /// The smallest value of a pixel.
        low: f64,
        /// The largest value of a pixel.
        high: f64,
    },
    /// By squared weight, independent of the input (w2; Montavon et al. 2017). zennit also includes
    /// the squared bias.
    WSquare,
    /// The same without the bias, as in the paper.
    WSquareWithoutBias,
    /// Equally to all inputs of a window (Lapuschkin et al. 2019).
    Flat,
}

impl LrpRule {
    /// The rule as a table, which defines it completely.
    fn table(self) -> Vec<Variants> {
        use {Input as X, Outputs as O, Weight as W};
        let all = |terms| vec![Variants::new(1.0, O::All, terms)];
        // Negative inputs use weights of the opposite sign, and no bias.
        let signed = |factor, outputs, with: W, against: W| {
            let terms = vec![
                Term::new(X::Positive, with),
                Term::new(X::Negative, against).without_bias(),
            ];
            Variants::new(factor, outputs, terms)
        };
        match self {
            Self::Epsilon(_) => all(vec![Term::new(X::Same, W::Same)]),
            Self::ZPlus => vec![signed(1.0, O::All, W::Positive, W::Negative)],
            Self::ZPlusWithoutBias => {
                let mut shares = signed(1.0, O::All, W::Positive, W::Negative);
                shares.terms[0] = shares.terms[0].without_bias();
                vec![shares]
            }
            Self::Gamma(gamma) => {
                let (plus, minus) = (W::Favour { gamma }, W::Favour { gamma: -gamma });
                vec![
                    signed(1.0, O::Positive, plus, minus),
                    signed(1.0, O::Negative, minus, plus),
                ]
            }
            Self::AlphaBeta { alpha, beta } => vec![
                signed(alpha, O::All, W::Positive, W::Negative),
                signed(-beta, O::All, W::Negative, W::Positive),
            ],
            Self::ZBox { low, high } => all(vec![
                Term::new(X::Same, W::Same),
                Term::new(X::Constant(low), W::Positive).subtracted(),
                Term::new(X::Constant(high), W::Negative).subtracted(),
            ]),
            Self::WSquare => all(vec![Term::new(X::Constant(1.0), W::Squared)]),
            Self::WSquareWithoutBias => {
                all(vec![Term::new(X::Constant(1.0), W::Squared).without_bias()])
            }
            Self::Flat => all(vec![Term::new(X::Constant(1.0), W::One).without_bias()]),
        }
    }

    fn stabilizer(self) -> f64 {
        match self {
            Self::Epsilon(epsilon) => epsilon,
            _ => STABILIZER,
        }
    }

    /// The relevance of the layer's inputs from that of its outputs.
    fn redistribute(self, step: &Step<'_>, relevance: &Tensor<4>) -> Tensor<4> {
        let shares = self
            .table()
            .into_iter()
            .filter(|variants| variants.factor != 0.0);
        let shares = shares.map(|variants| {
            let terms: Vec<_> = variants.terms.iter().map(|term| term.of(step)).collect();
            let z = terms.iter().map(|term| term.output(step)).reduce(add);
            let z = z.expect("every rule has a term");
            let away = stabilised(z, self.stabilizer());
            let flow = variants.outputs.of(step, relevance.clone() / away);
            let inputs = terms.iter().map(|term| term.pull_back(step, flow.clone()));
            let inputs = inputs.reduce(add).expect("every rule has a term");
            match variants.factor {
                1.0 => inputs,
                factor => inputs * factor,
            }
        });
        shares.reduce(add).expect("every rule has variants")
    }
}

fn add(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    a + b
}

/// Variants of a layer that distribute relevance together.
struct Variants {
    /// The factor of the relevance.
    factor: f64,
    outputs: Outputs,
    terms: Vec<Term>,
}

impl Variants {
    fn new(factor: f64, outputs: Outputs, terms: Vec<Term>) -> Self {
        Self {
            factor,
            outputs,
            terms,
        }
    }
}

/// Which outputs of the layer distribute their relevance.
#[derive(Clone, Copy)]
enum Outputs {
    All,
    Positive,
    Negative,
}

impl Outputs {
    fn of(self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let z = step.output.clone();
        match self {
            Self::All => flow,
            Self::Positive => flow.mask_fill(z.lower_equal_elem(0.0), 0.0),
            Self::Negative => flow.mask_fill(z.greater_equal_elem(0.0), 0.0),
        }
    }
}

/// The input of a variant, derived from the layer's input.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    Same,
    Positive,
    Negative,
    Constant(f64),
}

impl Input {
    fn of(self, x: &Tensor<4>) -> Tensor<4> {
        let x = x.clone();
        match self {
            Self::Same => x,
            Self::Positive => x.clamp_min(0.0),
            Self::Negative => x.clamp_max(0.0),
            Self::Constant(value) => x.full_like(value),
        }
    }
}

/// The weight and bias of a variant, derived from the layer's.
#[derive(Clone, Copy, PartialEq)]
enum Weight {
    Same,
    Positive,
    Negative,
    /// `w + gamma max(w, 0)`, or with a negative gamma `w - gamma min(w, 0)`.
    Favour {
        gamma: f64,
    },
    Squared,
    One,
}

impl Weight {
    fn of<const D: usize>(self, w: &Tensor<D>) -> Tensor<D> {
        let w = w.clone();
        match self {
            Self::Same => w,
            Self::Positive => w.clamp_min(0.0),
            Self::Negative => w.clamp_max(0.0),
            Self::Favour { gamma } if gamma >= 0.0 => w.clone() + w.clamp_min(0.0) * gamma,
            Self::Favour { gamma } => w.clone() + w.clamp_max(0.0) * -gamma,
            Self::Squared => w.clone() * w,
            Self::One => w.ones_like(),
        }
    }
}

/// One variant of a layer: another input and other parameters.
#[derive(Clone, Copy)]
struct Term {
    input: Input,
    weight: Weight,
    bias: bool,
    sign: f64,
}

impl Term {
    fn new(input: Input, weight: Weight) -> Self {
        Self {
            input,
            weight,
            bias: true,
            sign: 1.0,
        }
    }

    fn without_bias(self) -> Self {
        Self {
            bias: false,
            ..self
        }
    }

    fn subtracted(self) -> Self {
        Self { sign: -1.0, ..self }
    }

    /// The variant of the layer of a step.
    fn of(self, step: &Step<'_>) -> Variant {
        let bias = |bias: &Option<Tensor<1>>| {
            let bias = bias.as_ref().filter(|_| self.bias);
            bias.map(|bias| self.weight.of(bias))
        };
        let layer = match step.layer {
            Layer::Conv2d(conv) => Layer::Conv2d(Conv2d {
                weight: self.weight.of(&conv.weight),
                bias: bias(&conv.bias),
                ..conv.clone()
            }),
            Layer::Linear(linear) => Layer::Linear(Linear {
                weight: self.weight.of(&linear.weight),
                bias: bias(&linear.bias),
            }),
            // A layer without parameters has no variants.
            other => other.clone(),
        };
        Variant {
            term: self,
            input: self.input.of(step.input),
            layer,
        }
    }
}

/// A [`Term`] for a certain layer at a certain input.
struct Variant {
    term: Term,
    input: Tensor<4>,
    layer: Layer,
}

impl Variant {
    /// Its contribution to z.
    fn output(&self, step: &Step<'_>) -> Tensor<4> {
        if (self.term.input, self.term.weight) == (Input::Same, Weight::Same) {
            return step.output.clone();
        }
        self.signed(self.layer.forward(self.input.clone()))
    }

    /// What its inputs receive from `flow`, which is relevance divided by z.
    fn pull_back(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let variant = Step {
            layer: &self.layer,
            input: &self.input,
            ..*step
        };
        self.signed(self.input.clone() * variant.pull_back(flow))
    }

    fn signed(&self, values: Tensor<4>) -> Tensor<4> {
        match self.term.sign {
            1.0 => values,
            sign => values * sign,
        }
    }
}

/// Which rule each affine layer uses.
///
/// As in zennit's composites, a maximum gives all to its winner, and an average or the sum of a
/// residual block distributes relevance in proportion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Composite {
    /// The rule of the first layer, if it has its own.
    pub first: Option<First>,
    /// For convolutions.
    pub convolution: LrpRule,
    /// For fully connected layers.
    pub linear: LrpRule,
    /// For activations.
    pub activation: AtActivation,
}

/// The rule of the first layer, and which layer that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum First {
    /// The first convolution or fully connected layer.
    Affine(LrpRule),
    /// The first convolution. A network without one has no such layer.
    Convolution(LrpRule),
}

impl First {
    fn rule(self) -> LrpRule {
        match self {
            Self::Affine(rule) | Self::Convolution(rule) => rule,
        }
    }

    fn is(self, layer: &Layer) -> bool {
        match layer {
            Layer::Conv2d(_) => true,
            Layer::Linear(_) => matches!(self, Self::Affine(_)),
            _ => false,
        }
    }
}

/// What an activation does to relevance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtActivation {
    /// Passes it through.
    #[default]
    Pass,
    /// Multiplies it by the activation's derivative. For a ReLU, this is the same if silent inputs get
    /// nothing from the layer behind it, as by z+.
    Derivative,
}

impl Composite {
    /// One rule for all layers.
    pub fn all(rule: LrpRule) -> Self {
        Self {
            first: None,
            convolution: rule,
            linear: rule,
            activation: AtActivation::Pass,
        }
    }

    /// The composite as a rule for the network of `layers`, which should not have batch
    /// normalisation.
    pub fn over<'a>(&'a self, layers: &[Layer]) -> CompositeRule<'a> {
        let index = |first: First| index_of_first(layers, |layer: &Layer| first.is(layer));
        CompositeRule {
            composite: self,
            first: self.first.and_then(index),
        }
    }
}

/// A [`Composite`] that knows which layer is the first.
#[derive(Clone, Copy, Debug)]
pub struct CompositeRule<'a> {
    composite: &'a Composite,
    /// The index of the layer with its own rule.
    first: Option<usize>,
}

impl Rule for CompositeRule<'_> {
    fn affine(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let Composite {
            first,
            convolution,
            linear,
            activation: _,
        } = *self.composite;
        let first = first.filter(|_| self.first == Some(step.index));
        let first = first.map(First::rule);
        let rule = match step.layer {
            Layer::Conv2d(_) => first.unwrap_or(convolution),
            Layer::Linear(_) => first.unwrap_or(linear),
            // A batch normalisation that could not be merged is treated like an activation.
            Layer::BatchNorm2d(_) => return self.relu(step, flow),
            _ => LrpRule::Epsilon(STABILIZER),
        };
        rule.redistribute(step, &flow)
    }

    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        match self.composite.activation {
            AtActivation::Pass => flow,
            AtActivation::Derivative => step.pull_back(flow),
        }
    }

    fn activation(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        self.relu(step, flow)
    }

    /// As in the epsilon rule. zennit uses the gradient of dropout, which would not conserve
    /// relevance.
    fn dropout(&self, _: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        flow
    }

    fn sum(&self, step: &Step<'_>, flow: Tensor<4>) -> [Tensor<4>; 2] {
        let shares = flow / stabilised(step.output.clone(), STABILIZER);
        let parts = step.parts();
        [0, 1].map(|part| parts[part].output().clone() * shares.clone())
    }
}
