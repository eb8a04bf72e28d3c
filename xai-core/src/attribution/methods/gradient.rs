//! Methods of one backward pass, whose rules differ from the gradient only at the ReLU, or not at
//! all.

use crate::attribution::rules::{Deconvolve, Guided, Rule};
use crate::attribution::trace::factors;
use crate::attribution::{Batch, Differentiable, Explain, Layered, Method, propagate};
use crate::device::Tensor;
use crate::error::Result;

/// The absolute gradient of the target's score (Simonyan et al. 2014), for each channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Saliency;

impl Method for Saliency {
    fn name(&self) -> &'static str {
        "saliency"
    }
}

impl<M: Differentiable> Explain<M> for Saliency {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(batch.gradient()?.clone().abs())
    }
}

/// The gradient times the input (Shrikumar et al. 2016). In a ReLU network without biases it equals
/// [`Lrp`](super::Lrp) with the epsilon rule; with biases, it is almost equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct InputXGradient;

impl Method for InputXGradient {
    fn name(&self) -> &'static str {
        "input_x_gradient"
    }
}

impl<M: Differentiable> Explain<M> for InputXGradient {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(batch.input() * batch.gradient()?.clone())
    }
}

/// Guided backpropagation: see [`Guided`].
#[derive(Clone, Copy, Debug, Default)]
pub struct GuidedBackprop;

impl Method for GuidedBackprop {
    fn name(&self) -> &'static str {
        "guided_backprop"
    }
}

impl<M: Layered> Explain<M> for GuidedBackprop {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(from_targets(batch, &Guided))
    }
}

/// Deconvolution: see [`Deconvolve`]. Not multiplied by the input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deconvolution;

impl Method for Deconvolution {
    fn name(&self) -> &'static str {
        "deconvolution"
    }
}

impl<M: Layered> Explain<M> for Deconvolution {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(from_targets(batch, &Deconvolve))
    }
}

fn from_targets<M: Layered>(batch: &Batch<'_, M>, rule: &impl Rule) -> Tensor<4> {
    let trace = batch.trace();
    propagate(trace.steps(), rule, factors(trace, batch.targets()))
}
