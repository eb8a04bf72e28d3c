//! Methods that hand the target's score back to the pixels, layer by layer.

use crate::attribution::batch::one_hot;
use crate::attribution::rules::{LrpEpsilon, Rescale, RescaleCaptum};
use crate::attribution::{Batch, Explain, Layered, Method, propagate};
use crate::device::Tensor;
use crate::error::Result;

/// Layer-wise relevance propagation; the relevance that starts is the target's score.
///
/// With the epsilon rule everywhere it is almost the same as
/// [`InputXGradient`](super::InputXGradient) in a ReLU network (Ancona et al. 2018).
#[derive(Clone, Copy, Debug)]
pub struct Lrp {
    rule: LrpEpsilon,
}

impl Lrp {
    /// The [epsilon rule](LrpEpsilon) in every layer.
    pub fn epsilon(epsilon: f64) -> Self {
        Self {
            rule: LrpEpsilon { epsilon },
        }
    }
}

impl Default for Lrp {
    /// The epsilon rule with 1e-9.
    fn default() -> Self {
        Self::epsilon(1e-9)
    }
}

impl Method for Lrp {
    fn name(&self) -> &'static str {
        "lrp"
    }
}

impl<M: Layered> Explain<M> for Lrp {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(propagate(
            batch.trace().steps(),
            &self.rule,
            batch.target_scores(),
        ))
    }
}

/// DeepLIFT with the [rescale rule](Rescale) as published, from a baseline of zeros.
///
/// Complete: an image's attributions sum to the target's score minus the baseline's. Captum's
/// since 0.6.0 is not: of a ReLU and a MaxPool side by side it leaves one rule out.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeepLift;

impl Method for DeepLift {
    fn name(&self) -> &'static str {
        "deep_lift"
    }
}

impl DeepLift {
    /// What Captum 0.6 to 0.9 computes instead: see [`RescaleCaptum`].
    pub fn captum() -> DeepLiftCaptum {
        DeepLiftCaptum
    }
}

impl<M: Layered> Explain<M> for DeepLift {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (trace, reference) = (batch.trace(), batch.baseline());
        let start = one_hot(trace, batch.targets());
        let multipliers = propagate(trace.steps(), &Rescale { reference }, start);
        Ok(batch.difference(0) * multipliers)
    }
}

/// [`DeepLift`] with the defect of Captum 0.6 to 0.9, to compare with results that have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeepLiftCaptum;

impl Method for DeepLiftCaptum {
    fn name(&self) -> &'static str {
        "deep_lift_captum"
    }
}

impl<M: Layered> Explain<M> for DeepLiftCaptum {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (trace, reference) = (batch.trace(), batch.baseline());
        let both = trace.beside(reference);
        let start = one_hot(&both, &batch.targets().repeat(2));
        let multipliers = propagate(both.steps(), &RescaleCaptum::default(), start);
        let multipliers = multipliers.narrow(0, 0, batch.targets().len());
        Ok(batch.difference(0) * multipliers)
    }
}
