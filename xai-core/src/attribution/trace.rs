//! One forward pass, with everything that happened in it.

use std::cell::Cell;

use crate::device::Tensor;
use crate::network::Layer;
use crate::network::ops::{self, IntTensor};

thread_local! {
    static EVALUATIONS: Cell<usize> = const { Cell::new(0) };
}

/// How many layers this thread has evaluated in traces so far, counted once an image:
/// tests hold the cost of a panel to it.
pub fn layer_evaluations() -> usize {
    EVALUATIONS.get()
}

/// A forward pass in evaluation mode that keeps the input and output of each layer and where
/// each pooling found its maxima: all that a [`Rule`](super::Rule) can ask for on the way back.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    layers: &'a [Layer],
    /// One more than layers: entry i is the input of layer i, the last is the output.
    activations: Vec<Tensor<4>>,
    /// Where the maxima of layer i were, if it is a pooling.
    maxima: Vec<Option<IntTensor>>,
}

impl<'a> Trace<'a> {
    /// Runs `x` `[n, c, h, w]` through `layers`, which may be a part of a network.
    pub fn new(layers: &'a [Layer], x: Tensor<4>) -> Self {
        Self::run(layers, x, true)
    }

    /// The same with half the memory and, on a CPU, in half the time, good for gradients that are
    /// multiplied by the input's difference from a baseline. What went into a ReLU is forgotten, and
    /// what came out, which has the same sign, stands in its place. Ties of a pooling may go to another
    /// pixel than the first: they occur where the image is even, as its background is, and there such a
    /// difference is 0.
    pub fn for_gradients(layers: &'a [Layer], x: Tensor<4>) -> Self {
        Self::run(layers, x, false)
    }

    fn run(layers: &'a [Layer], x: Tensor<4>, relu_inputs: bool) -> Self {
        let [images, ..] = x.dims();
        EVALUATIONS.set(EVALUATIONS.get() + images * layers.len());
        let mut activations = Vec::with_capacity(layers.len() + 1);
        let mut maxima = Vec::with_capacity(layers.len());
        let mut value = x;
        for layer in layers {
            activations.push(value.clone());
            let place;
            (value, place) = match layer {
                Layer::MaxPool2d(window) => {
                    let (value, place) = ops::max_pool2d(value, window);
                    (value, Some(place))
                }
                Layer::Conv2d(conv) if !relu_inputs => {
                    let (weight, bias) = (conv.weight.clone(), conv.bias.clone());
                    (ops::conv2d_loose(value, weight, bias, &conv.window()), None)
                }
                _ => (layer.forward(value), None),
            };
            if let (Layer::Relu, false) = (layer, relu_inputs) {
                *activations.last_mut().expect("its input") = value.clone();
            }
            maxima.push(place);
        }
        activations.push(value);
        Self {
            layers,
            activations,
            maxima,
        }
    }

    /// This pass of n images and that of one reference as one pass of 2 n: the images, then the
    /// reference n times. Nothing is computed again.
    pub fn beside(&self, reference: &Self) -> Self {
        let images = self.input().dims()[0];
        let activations = self.activations.iter().zip(&reference.activations);
        let activations = activations
            .map(|(a, b)| Tensor::cat(vec![a.clone(), b.clone().repeat_dim(0, images)], 0));
        let maxima = self.maxima.iter().zip(&reference.maxima);
        let maxima = maxima.map(|(a, b)| {
            let (a, b) = (a.clone()?, b.clone()?.repeat_dim(0, images));
            Some(IntTensor::cat(vec![a, b], 0))
        });
        Self {
            layers: self.layers,
            activations: activations.collect(),
            maxima: maxima.collect(),
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

    /// The passage through layer `index`.
    pub fn step(&self, index: usize) -> Step<'_> {
        Step {
            index,
            layer: &self.layers[index],
            input: &self.activations[index],
            output: &self.activations[index + 1],
            maxima: self.maxima[index].as_ref(),
        }
    }

    /// The passages in order.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> + ExactSizeIterator {
        (0..self.layers.len()).map(|index| self.step(index))
    }
}

/// The passage of a batch through one layer.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Which layer of the trace it is.
    pub index: usize,
    /// The layer.
    pub layer: &'a Layer,
    /// What went in.
    pub input: &'a Tensor<4>,
    /// What came out.
    pub output: &'a Tensor<4>,
    /// Where a pooling found its maxima.
    pub maxima: Option<&'a IntTensor>,
}

impl Step<'_> {
    /// The gradient for the layer's input from the gradient `g` for its output.
    ///
    /// It is the transpose of the linear map that the layer is at this input, and as such what
    /// most rules are built of.
    pub fn pull_back(&self, g: Tensor<4>) -> Tensor<4> {
        let input = self.input.dims();
        match self.layer {
            Layer::Conv2d(conv) => {
                ops::conv2d_input_grad(input, conv.weight.clone(), g, &conv.window())
            }
            Layer::Linear(linear) => ops::linear_input_grad(linear.weight.clone(), g),
            Layer::BatchNorm2d(norm) => {
                let (scale, _) = norm.scale_and_shift();
                let no_shift = scale.zeros_like();
                ops::channel_affine(g, scale, no_shift)
            }
            Layer::Relu => ops::gate(g, self.input.clone()),
            Layer::MaxPool2d(window) => match self.maxima {
                Some(place) => ops::max_unpool2d(input, g, place.clone(), window),
                None => unreachable!("a trace records the maxima of every pooling"),
            },
            Layer::AdaptiveAvgPool2d(_) => ops::adaptive_avg_pool2d_input_grad(input, g),
            Layer::Flatten => g.reshape(input),
            Layer::Dropout(_) => g,
        }
    }
}
