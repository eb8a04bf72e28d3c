//! One forward pass, with everything that happened in it.

use std::cell::Cell;

use burn::tensor::TensorData;

use super::rows::for_each;
use crate::device::Tensor;
use crate::network::ops::{self, IntTensor};
use crate::network::{Layer, Masks};

thread_local! {
    static EVALUATIONS: Cell<usize> = const { Cell::new(0) };
}

/// How many layers this thread has evaluated for methods so far, counted once an image:
/// tests hold the cost of a panel to it.
pub fn layer_evaluations() -> usize {
    EVALUATIONS.get()
}

/// Counts a pass of `layers` layers, summed over images, that keeps no trace.
pub(super) fn add_evaluations(layers: usize) {
    EVALUATIONS.set(EVALUATIONS.get() + layers);
}

/// A forward pass that keeps the input and output of each layer, where each pooling found its maxima and
/// what active dropout silenced: all that a [`Rule`](super::Rule) can ask for on the way back.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    layers: &'a [Layer],
    /// One more than layers: entry i is the input of layer i, the last is the output.
    activations: Vec<Tensor<4>>,
    /// What else happened in layer i.
    inside: Vec<Inside<'a>>,
    /// The [`Step::index`] of the first layer.
    first: usize,
}

/// What happened in a layer, beside its input and output.
#[derive(Clone, Debug)]
enum Inside<'a> {
    /// Nothing else.
    Nothing,
    /// Where a pooling found its maxima.
    Maxima(IntTensor),
    /// What an active dropout multiplied by.
    Mask(Tensor<4>),
    /// The branch and the shortcut of a residual block.
    Parts(Box<[Trace<'a>; 2]>),
}

impl<'a> Trace<'a> {
    /// Runs `x` `[n, c, h, w]` through `layers`, which may be a part of a network, in evaluation mode or
    /// with these [masks](crate::network::Network::masks).
    pub fn new(layers: &'a [Layer], x: Tensor<4>, mut masks: Option<Masks>) -> Self {
        Self::numbered(layers, x, 0, true, &mut masks)
    }

    /// The same with half the memory and, on a CPU, in half the time, good for gradients that are
    /// multiplied by the input's difference from a baseline. What went into a ReLU is forgotten, and
    /// what came out, which has the same sign, stands in its place. Ties of a pooling may go to another
    /// pixel than the first: they occur where the image is even, as its background is, and there such a
    /// difference is 0.
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

    /// This pass of n images and that of their references as one pass of 2 n: the images, then the
    /// references (one for all is repeated n times). Nothing is computed again.
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

    /// What went into the first layer.
    pub fn input(&self) -> &Tensor<4> {
        &self.activations[0]
    }

    /// What came out of the last layer: of a whole network the class scores `[n, classes, 1, 1]`.
    pub fn output(&self) -> &Tensor<4> {
        &self.activations[self.layers.len()]
    }

    /// What went into layer `index`, or came out of the last if there is no such layer.
    pub fn activation(&self, index: usize) -> &Tensor<4> {
        &self.activations[index]
    }

    /// The passage through the layer at this place of the sequence.
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

    /// The passage of another batch through the layer of `step`, which may lie within a residual block.
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

    /// The passages in order.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> + ExactSizeIterator {
        (0..self.layers.len()).map(|at| self.step(at))
    }
}

/// How many indices these layers take: one each, and of a residual block one more for the end of each
/// sequence, so that only neighbours in the same sequence have neighbouring indices.
fn indices(layers: &[Layer]) -> usize {
    let of_one = |layer: &Layer| match layer {
        Layer::Residual(block) => 3 + indices(&block.branch) + indices(&block.shortcut),
        _ => 1,
    };
    layers.iter().map(of_one).sum()
}

/// The [`Step::index`] of the first layer that `is` so, in the order of a forward pass.
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

/// The passage of a batch through one layer.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Which layer of the network it is, counted through residual blocks. In a plain sequence: its
    /// place. Two layers with neighbouring indices follow one another directly.
    pub index: usize,
    /// The layer.
    pub layer: &'a Layer,
    /// What went in.
    pub input: &'a Tensor<4>,
    /// What came out.
    pub output: &'a Tensor<4>,
    /// Where a maximum pooling found its maxima.
    pub maxima: Option<&'a IntTensor>,
    /// What a dropout multiplied by, if it is active.
    pub mask: Option<&'a Tensor<4>>,
    /// The ways through the branch and the shortcut of a residual block.
    pub(super) parts: Option<&'a [Trace<'a>; 2]>,
}

impl<'a> Step<'a> {
    /// The ways through the branch and the shortcut of a residual block.
    ///
    /// # Panics
    /// If the layer is none.
    pub fn parts(&self) -> &'a [Trace<'a>; 2] {
        match self.parts {
            Some(parts) => parts,
            None => unreachable!("a trace records the parts of every residual block"),
        }
    }

    /// The gradient for the layer's input from the gradient `g` for its output.
    ///
    /// It is the transpose of the linear map that the layer is at this input, and as such what
    /// most rules are built of.
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

/// 1 at each row's target, 0 elsewhere, in the shape of the trace's output: what a gradient of the
/// targets' scores starts from.
pub(super) fn one_hot(trace: &Trace<'_>, targets: &[usize]) -> Tensor<4> {
    let [n, classes, ..] = trace.output().dims();
    let mut values = vec![0.0f32; n * classes];
    for (row, &target) in targets.iter().enumerate() {
        values[row * classes + target] = 1.0;
    }
    let data = TensorData::new(values, [n, classes, 1, 1]);
    Tensor::from_data(data, &trace.output().device())
}
