//! Propagation rules: what each kind of layer does to the backward flow.
//!
//! A rule is a table with one entry per kind of layer. By default, the gradient flows.

use std::cell::RefCell;

use super::rows::for_each;
use super::trace::{Step, Trace};
use crate::device::{Tensor, upload};
use crate::network::{Activation, Layer, ops};

/// One entry per kind of layer: from the flow at the layer's output to the flow at its input.
pub trait Rule {
    /// Convolution, fully connected layer, batch normalisation, average poolings.
    fn affine(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }

    /// max(x, 0).
    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }

    /// An elementwise function other than the ReLU.
    fn activation(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }

    /// A softmax over channels.
    fn softmax(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }

    /// A dropout, which has an effect only if it is active.
    fn dropout(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }

    /// The sum at the end of a residual block: the flow to its branch and to its shortcut.
    fn sum(&self, _: &Step<'_>, flow: Tensor<4>) -> [Tensor<4>; 2] {
        [flow.clone(), flow]
    }

    /// The maximum of each window. Among equals, the first in row-major order counts.
    fn max_pool(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(flow)
    }
}

/// The gradient.
#[derive(Clone, Copy, Debug)]
pub struct Gradient;

impl Rule for Gradient {}

/// Guided backpropagation (Springenberg et al. 2015): a ReLU passes only positive gradients, and
/// only where its input was positive.
#[derive(Clone, Copy, Debug)]
pub struct Guided;

impl Rule for Guided {
    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        step.pull_back(ops::relu(flow))
    }
}

/// Deconvolution (Zeiler and Fergus 2014): a ReLU passes only positive gradients, whatever its
/// input was.
#[derive(Clone, Copy, Debug)]
pub struct Deconvolve;

impl Rule for Deconvolve {
    fn relu(&self, _: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        ops::relu(flow)
    }
}

/// Layer-wise relevance propagation with the epsilon rule (Bach et al. 2015, equation 58).
///
/// The relevance R of an output z goes to the inputs a in proportion to their contributions:
/// `a * d/da of (R / (z + epsilon sign(z))) z`, with sign(0) = 1. z includes the bias, whose share
/// is lost. A maximum gives all to its winner. A ReLU or another activation passes relevance
/// through. At the end of a residual block, both addends receive their share by the same rule (a
/// sum is a linear layer with weights of 1).
#[derive(Clone, Copy, Debug)]
pub struct LrpEpsilon {
    /// Keeps the division away from 0.
    pub epsilon: f64,
}

impl LrpEpsilon {
    fn redistribute(&self, step: &Step<'_>, relevance: Tensor<4>) -> Tensor<4> {
        step.input.clone()
            * step.pull_back(relevance / stabilised(step.output.clone(), self.epsilon))
    }
}

/// `z + epsilon sign(z)`, with sign(0) = 1: the divisor of relevance.
pub(super) fn stabilised(z: Tensor<4>, epsilon: f64) -> Tensor<4> {
    let below = z.clone().lower_elem(0.0);
    let away = z.clone().add_scalar(epsilon);
    away.mask_where(below, z.sub_scalar(epsilon))
}

impl Rule for LrpEpsilon {
    fn affine(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        self.redistribute(step, flow)
    }

    fn relu(&self, _: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        flow
    }

    fn activation(&self, _: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        flow
    }

    /// Each output has one input, which receives all of its relevance. Silenced outputs have none.
    fn dropout(&self, _: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        flow
    }

    fn sum(&self, step: &Step<'_>, flow: Tensor<4>) -> [Tensor<4>; 2] {
        let shares = flow / stabilised(step.output.clone(), self.epsilon);
        let parts = step.parts();
        [0, 1].map(|part| parts[part].output().clone() * shares.clone())
    }

    fn max_pool(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        self.redistribute(step, flow)
    }
}

/// DeepLIFT with the rescale rule (Shrikumar et al. 2017): multipliers are slopes between the input
/// and a reference instead of gradients, so that they add up to the difference in output.
///
/// If an input hardly differs from the reference's, the gradient replaces the slope.
#[derive(Clone, Copy, Debug)]
pub struct Rescale<'a> {
    /// The pass of the reference through the same layers: one for all images, or one for each.
    pub reference: &'a Trace<'a>,
}

impl Rescale<'_> {
    /// Differences below this count as 0 (Captum's value).
    const EPSILON: f64 = 1e-10;

    /// `difference / din`, or `gradient` if din is close to 0.
    fn slope(difference: Tensor<4>, din: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
        let none = din.clone().abs().lower_elem(Self::EPSILON);
        (difference / din).mask_where(none, gradient)
    }
}

impl Rule for Rescale<'_> {
    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let reference = self.reference.same(step);
        let din = difference(step.input, reference.input);
        let dout = difference(step.output, reference.output);
        Self::slope(flow.clone() * dout, din, step.pull_back(flow))
    }

    fn activation(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        self.relu(step, flow)
    }

    /// Uses slopes as for any function of one value, and subtracts their mean over an image's
    /// classes, because what all classes have in common does not change a probability. Captum
    /// subtracts the mean over the whole batch, so an image's map depends on the other images of
    /// the batch. Because of the mean, attributions do not add up to the difference in output.
    fn softmax(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let slopes = self.relu(step, flow);
        let classes = slopes.dims()[1];
        let shared = slopes.clone().mean_dim(1).repeat_dim(1, classes);
        slopes - shared
    }

    /// The difference of the outputs is split at M = max(output, reference output): M - reference
    /// output is due to the pixel that won in the input, and output - M to the one that won in the
    /// reference.
    fn max_pool(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let reference = self.reference.same(step);
        let (Layer::MaxPool2d(window), Some(place)) = (step.layer, reference.maxima) else {
            unreachable!("the reference went through the same poolings");
        };
        let images = step.input.dims()[0];
        let place = place.clone().repeat_dim(0, images / place.dims()[0]);
        let reference_out = for_each(reference.output, images);
        let out = step.output.clone();
        let most = out.clone().max_pair(reference_out.clone());
        let won = step.pull_back(flow.clone() * (most.clone() - reference_out));
        let lost = flow.clone() * (out - most);
        let lost = ops::max_unpool2d(step.input.dims(), lost, place, window);
        let din = difference(step.input, reference.input);
        Self::slope(won + lost, din, step.pull_back(flow))
    }
}

/// `values` `[n, …]` minus the `reference`, `[n, …]` or `[1, …]`.
fn difference(values: &Tensor<4>, reference: &Tensor<4>) -> Tensor<4> {
    values.clone() - for_each(reference, values.dims()[0])
}

/// The rescale rule as Captum 0.6 to 0.9 applies it, which is not complete.
///
/// If two of {ReLU, another activation, MaxPool} are neighbours, the first one does not see the
/// flow after the second one's rule, but the flow after the second one's gradient. They are also
/// neighbours with a dropout between them that is not active. Every block of a plain convolutional
/// network ends with such a pair. The gradients of image and reference differ there, so both flow:
/// the rule needs a [`Trace::beside`] whose first half are the images and whose second half are their
/// references. Captum has no rule for GELU and uses its gradient.
///
/// Where windows of a MaxPool overlap and have the same winner, only what the last of them sends back
/// counts. Where an input of a MaxPool hardly differs from the reference's, Captum takes the gradient
/// of the first image of the batch for all of them. Here it is the image's own, as in Captum with one
/// image at a time.
#[derive(Debug, Default)]
pub struct RescaleCaptum {
    /// The last ReLU or pooling, and the flow after its gradient.
    passed: RefCell<Option<(usize, Tensor<4>)>>,
}

impl RescaleCaptum {
    /// The flow that the layer of this step receives, and the true flow after the layer's gradient.
    fn seen(&self, step: &Step<'_>, flow: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let gradient = step.pull_back(flow.clone());
        let passed = self.passed.replace(Some((step.index, gradient.clone())));
        match passed {
            Some((index, unruled)) if index == step.index + 1 => (unruled, gradient),
            _ => (flow, gradient),
        }
    }
}

impl Rule for RescaleCaptum {
    fn relu(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let (flow, gradient) = self.seen(step, flow);
        let [din, dout] = [step.input, step.output].map(|values| {
            let [image, reference] = halves(values);
            twice(image - reference)
        });
        Rescale::slope(flow * dout, din, gradient)
    }

    fn activation(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        match step.layer {
            Layer::Activation(Activation::Gelu | Activation::GeluTanh) => step.pull_back(flow),
            _ => self.relu(step, flow),
        }
    }

    fn softmax(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let slopes = self.relu(step, flow);
        let classes = slopes.dims()[1];
        let shared = slopes.clone().mean_dim(1).repeat_dim(1, classes);
        slopes - shared
    }

    /// An inactive dropout is not there for Captum, because it hands on the tensor that it receives.
    fn dropout(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        if let (None, Some((index, _))) = (step.mask, &mut *self.passed.borrow_mut())
            && *index == step.index + 1
        {
            *index = step.index;
        }
        step.pull_back(flow)
    }

    fn max_pool(&self, step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
        let (flow, gradient) = self.seen(step, flow);
        let [out, reference] = halves(step.output);
        let most = out.clone().max_pair(reference.clone());
        let shares = Tensor::cat(vec![most.clone() - reference, out - most], 0);
        let sent = only_the_last(step, flow * shares);
        let [won, lost] = halves(&step.pull_back(sent));
        let [image, reference] = halves(step.input);
        let [gradient, _] = halves(&gradient);
        twice(Rescale::slope(won + lost, image - reference, gradient))
    }
}

/// `flow` without what torch's `max_unpool2d` overwrites: of the windows of a pooling with the same
/// winner, the last one in row-major order counts.
fn only_the_last(step: &Step<'_>, flow: Tensor<4>) -> Tensor<4> {
    let (Layer::MaxPool2d(window), Some(places)) = (step.layer, step.maxima) else {
        unreachable!("a trace records the maxima of every pooling");
    };
    if (0..2).all(|axis| window.stride[axis] >= window.kernel[axis]) {
        return flow;
    }
    let [.., height, width] = step.input.dims();
    let [_, _, rows, columns] = flow.dims();
    let places = places.to_data().iter::<i64>().collect::<Vec<_>>();
    let mut counts = vec![0.0; places.len()];
    let mut taken = vec![usize::MAX; height * width]; // by the plane of this number
    for (plane, (places, counts)) in (places.chunks(rows * columns))
        .zip(counts.chunks_mut(rows * columns))
        .enumerate()
    {
        for (&place, count) in places.iter().zip(counts).rev() {
            if std::mem::replace(&mut taken[place as usize], plane) != plane {
                *count = 1.0;
            }
        }
    }
    flow.clone() * upload(counts, flow.dims(), &flow.device())
}

fn halves(values: &Tensor<4>) -> [Tensor<4>; 2] {
    let half = values.dims()[0] / 2;
    [0, half].map(|first| values.clone().narrow(0, first, half))
}

fn twice(values: Tensor<4>) -> Tensor<4> {
    values.repeat_dim(0, 2)
}
