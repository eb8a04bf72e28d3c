//! One forward pass with its intermediate results.

use std::cell::Cell;

use super::rows::for_each;
use super::target::Target;
use crate::device::{Tensor, upload};
use crate::network::ops::{self, IntTensor};
use crate::network::{Layer, Masks};

thread_local! {
    static EVALUATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The number of layers that this thread has evaluated for methods so far, counted once per image.
/// Tests use it to check the cost of a panel.
pub fn layer_evaluations() -> usize {
    EVALUATIONS.get()
}

/// Counts a pass without a trace: `layers` layers, summed over images.
pub(super) fn add_evaluations(layers: usize) {
    EVALUATIONS.set(EVALUATIONS.get() + layers);
}

/// A forward pass that keeps the input and output of each layer, the positions of each pooling's
/// maxima, and the masks of active dropout. A [`Rule`](super::Rule) needs nothing else on the way
/// back.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    layers: &'a [Layer],
    /// One more than there are layers. Entry i is the input of layer i. The last one is the output.
    activations: Vec<Tensor<4>>,
    /// Other results of layer i.
    inside: Vec<Inside<'a>>,
    /// The [`Step::index`] of the first layer.
    first: usize,
}

/// The results of a layer apart from its input and output.
#[derive(Clone, Debug)]
enum Inside<'a> {
    /// Nothing else.
    Nothing,
    /// The positions of a pooling's maxima.
    Maxima(IntTensor),
    /// The mask of an active dropout.
    Mask(Tensor<4>),
    /// The branch and the shortcut of a residual block.
    Parts(Box<[Trace<'a>; 2]>),
}

impl<'a> Trace<'a> {
    /// Runs `x` `[n, c, h, w]` through `layers`, which may be a part of a network, in evaluation
    /// mode or with these [masks](crate::network::Network::masks).
    pub fn new(layers: &'a [Layer], x: Tensor<4>, mut masks: Option<Masks>) -> Self {
        Self::numbered(layers, x, 0, true, &mut masks)
    }

    /// As [`new`](Self::new), with half the memory and, on a CPU, in half the time. It is suitable
    /// for gradients that are multiplied by the input's difference from a baseline. The input of a
    /// ReLU is replaced by its output, which has the same sign. Ties of a pooling may go to a place
    /// other than the first. In an even background, this difference is 0. An image with ties elsewhere needs a
    /// [`new`](Self::new) trace.
    pub fn for_gradients(layers: &'a [Layer], x: Tensor<4>, mut masks: Option<Masks>) -> Self {
        Self::numbered(layers, x, 0, false, &mut masks)
    }

    /// A trace whose first step has the index `first`.
    fn numbered(
        layers: &'a [Layer],
        x: Tensor<4>,
        first: usize,
        relu_inputs: bool,
        masks: &mut Option<Masks>,
    ) -> Self {
        let [images, ..] = x.dims();
        add_evaluations(images * layers.len());
        let mut activations = Vec::with_capacity(layers.len() + 1);
        let mut inside = Vec::with_capacity(layers.len());
        let mut value = x;
        for layer in layers {
            activations.push(value.clone());
            let happened;
            (value, happened) = match layer {
                Layer::MaxPool2d(window) => {
                    let (value, place) = ops::max_pool2d(value, window);
                    (value, Inside::Maxima(place))
                }
                Layer::Residual(block) => {
                    let index = Self::index(layers, first, inside.len());
                    let mut part = |layers, x, first| {
                        Self::numbered(layers, x, first, relu_inputs, &mut *masks)
                    };
                    let branch = part(&block.branch, value.clone(), index + 1);
                    let shortcut = index + indices(&block.branch) + 2;
                    let shortcut = part(&block.shortcut, value, shortcut);
                    let sum = branch.output().clone() + shortcut.output().clone();
                    (sum, Inside::Parts(Box::new([branch, shortcut])))
                }
                Layer::Dropout(rate) if let Some(masks) = masks => {
                    let mask = masks.next(*rate, value.dims(), &value.device());
                    (value * mask.clone(), Inside::Mask(mask))
                }
                Layer::Conv2d(conv) if !relu_inputs => (conv.forward_loose(value), Inside::Nothing),
                _ => (layer.forward(value), Inside::Nothing),
            };
            if let (Layer::Relu, false) = (layer, relu_inputs) {
                *activations.last_mut().expect("its input") = value.clone();
            }
            inside.push(happened);
        }
        activations.push(value);
        Self {
            layers,
            activations,
            inside,
            first,
        }
    }

    /// The [`Step::index`] of layer `at`.
    fn index(layers: &[Layer], first: usize, at: usize) -> usize {
        first + indices(&layers[..at])
    }

    /// This pass of n images and that of their references as one pass of 2 n: first the images,
    /// then the references (a single one is repeated n times). Nothing is computed again.
    pub fn beside(&self, reference: &Self) -> Self {
        let images = self.input().dims()[0];
        let activations = self.activations.iter().zip(&reference.activations);
        let activations =
            activations.map(|(a, b)| Tensor::cat(vec![a.clone(), for_each(b, images)], 0));
        let inside = self.inside.iter().zip(&reference.inside);
        let inside = inside.map(|happened| match happened {
            (Inside::Maxima(a), Inside::Maxima(b)) => {
                let b = b.clone().repeat_dim(0, images / b.dims()[0]);
                Inside::Maxima(IntTensor::cat(vec![a.clone(), b], 0))
            }
            (Inside::Mask(a), Inside::Mask(b)) => {
                Inside::Mask(Tensor::cat(vec![a.clone(), for_each(b, images)], 0))
            }
            (Inside::Parts(a), Inside::Parts(b)) => {
                Inside::Parts(Box::new([0, 1].map(|part| a[part].beside(&b[part]))))
            }
            _ => Inside::Nothing,
        });
        Self {
            layers: self.layers,
            activations: activations.collect(),
            inside: inside.collect(),
            first: self.first,
        }
    }

    /// The input of the first layer.
    pub fn input(&self) -> &Tensor<4> {
        &self.activations[0]
    }

    /// The output of the last layer. For a whole network, the class scores `[n, classes, 1, 1]`.
    pub fn output(&self) -> &Tensor<4> {
        &self.activations[self.layers.len()]
    }

    /// The input of layer `index`, or the output of the last layer if there is no such layer.
    pub fn activation(&self, index: usize) -> &Tensor<4> {
        &self.activations[index]
    }

    /// The step through the layer at this position of the sequence.
    pub fn step(&self, at: usize) -> Step<'_> {
        let mut step = Step {
            index: Self::index(self.layers, self.first, at),
            layer: &self.layers[at],
            input: &self.activations[at],
            output: &self.activations[at + 1],
            maxima: None,
            mask: None,
            parts: None,
        };
        match &self.inside[at] {
            Inside::Nothing => {}
            Inside::Maxima(place) => step.maxima = Some(place),
            Inside::Mask(mask) => step.mask = Some(mask),
            Inside::Parts(parts) => step.parts = Some(parts),
        }
        step
    }

    /// The step of another batch through the layer of `step`, which may be inside a residual block.
    pub fn same(&self, step: &Step<'_>) -> Step<'_> {
        let found = self.steps().rfind(|own| own.index <= step.index);
        let own = found.expect("a trace through the same layers");
        if own.index == step.index {
            return own;
        }
        let [branch, shortcut] = own.parts();
        if step.index < shortcut.first {
            branch.same(step)
        } else {
            shortcut.same(step)
        }
    }

    /// The steps in order.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> + ExactSizeIterator {
        (0..self.layers.len()).map(|at| self.step(at))
    }
}

/// The number of indices that these layers use: one each, and for a residual block one more for the
/// end of each sequence, so that only neighbours in the same sequence have neighbouring indices.
fn indices(layers: &[Layer]) -> usize {
    let of_one = |layer: &Layer| match layer {
        Layer::Residual(block) => 3 + indices(&block.branch) + indices(&block.shortcut),
        _ => 1,
    };
    layers.iter().map(of_one).sum()
}

/// The [`Step::index`] of the first layer for which `is` returns true, in the order of a forward
/// pass.
pub(super) fn index_of_first(
    layers: &[Layer],
    is: impl Fn(&Layer) -> bool + Copy,
) -> Option<usize> {
    let mut index = 0;
    for layer in layers {
        let found = match layer {
            Layer::Residual(block) => {
                let within = |layers: &[Layer], first: usize| {
                    index_of_first(layers, is).map(|found| index + first + found)
                };
                let branch = within(&block.branch, 1);
                branch.or_else(|| within(&block.shortcut, 2 + indices(&block.branch)))
            }
            layer => is(layer).then_some(index),
        };
        if found.is_some() {
            return found;
        }
        index += indices(std::slice::from_ref(layer));
    }
    None
}

/// The step of a batch through one layer.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The position of the layer in the network, counted through residual blocks. In a plain
    /// sequence, its index. Two layers with neighbouring indices directly follow each other.
    pub index: usize,
    /// The layer.
    pub layer: &'a Layer,
    /// Its input.
    pub input: &'a Tensor<4>,
    /// Its output.
    pub output: &'a Tensor<4>,
    /// The positions of the maxima of a maximum pooling.
    pub maxima: Option<&'a IntTensor>,
    /// The mask of a dropout, if it is active.
    pub mask: Option<&'a Tensor<4>>,
    /// The traces of the branch and the shortcut of a residual block.
    pub(super) parts: Option<&'a [Trace<'a>; 2]>,
}

impl<'a> Step<'a> {
    /// The traces of the branch and the shortcut of a residual block.
    ///
    /// # Panics
    /// If the layer is not a residual block.
    pub fn parts(&self) -> &'a [Trace<'a>; 2] {
        match self.parts {
            Some(parts) => parts,
            None => unreachable!("a trace records the parts of every residual block"),
        }
    }

    /// The gradient with respect to the layer's input, from the gradient `g` with respect to its
    /// output.
    ///
    /// It is the transpose of the linear map of the layer at this input. Most rules are built from
    /// it.
    pub fn pull_back(&self, g: Tensor<4>) -> Tensor<4> {
        let input = self.input.dims();
        match self.layer {
            Layer::Conv2d(conv) => conv.input_grad(input, g),
            Layer::Linear(linear) => ops::linear_input_grad(linear.weight.clone(), g),
            Layer::BatchNorm2d(norm) => {
                let (scale, _) = norm.scale_and_shift();
                let no_shift = scale.zeros_like();
                ops::channel_affine(g, scale, no_shift)
            }
            Layer::Relu => ops::gate(g, self.input.clone()),
            Layer::Activation(function) => g * function.derivative(self.input.clone()),
            Layer::Softmax => ops::softmax_input_grad(self.output.clone(), g),
            Layer::AvgPool2d(pool) => {
                ops::avg_pool2d_input_grad(input, g, &pool.window, pool.count_include_pad)
            }
            Layer::MaxPool2d(window) => match self.maxima {
                Some(place) => ops::max_unpool2d(input, g, place.clone(), window),
                None => unreachable!("a trace records the maxima of every pooling"),
            },
            Layer::AdaptiveAvgPool2d(_) => ops::adaptive_avg_pool2d_input_grad(input, g),
            Layer::Flatten => g.reshape(input),
            Layer::Dropout(_) => match self.mask {
                Some(mask) => g * mask.clone(),
                None => g,
            },
            Layer::Residual(_) => {
                let [branch, shortcut] = self.parts();
                let through =
                    |part: &Trace<'_>, g| part.steps().rev().fold(g, |g, s| s.pull_back(g));
                through(branch, g.clone()) + through(shortcut, g)
            }
        }
    }
}

/// The factor of each output in each row's target (1 for its class, 0 for others), in the shape of
/// the trace's output: the start of a gradient of the targets.
pub(super) fn factors(trace: &Trace<'_>, targets: &[Target]) -> Tensor<4> {
    let [n, classes, ..] = trace.output().dims();
    let mut values = vec![0.0f32; n * classes];
    for (row, target) in targets.iter().enumerate() {
        for (output, factor) in target.parts() {
            values[row * classes + output] = factor;
        }
    }
    upload(values, [n, classes, 1, 1], &trace.output().device())
}
