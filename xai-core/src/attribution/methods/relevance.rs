//! Methods that pass the target's score back to the pixels, layer by layer.

use ndarray::{Array4, Axis};

use crate::attribution::rules::{LrpEpsilon, Rescale, RescaleCaptum};
use crate::attribution::trace::factors;
use crate::attribution::{Batch, Explain, Layered, Method, Trace, propagate};
use crate::device::{Tensor, upload};
use crate::error::{Error, Result};

/// Layer-wise relevance propagation. The initial relevance is the target's score.
///
/// With the epsilon rule in all layers, it is almost equal to
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

/// DeepLIFT with the [rescale rule](Rescale) as published, from the panel's
/// [baseline](crate::attribution::Panel::baseline).
///
/// Complete: an image's attributions sum to the target's score minus the baseline's. A network with a
/// softmax is an exception, because Captum's rule for it, which is used here, is not complete. Explain the
/// scores before the softmax for attributions that are.
///
/// Captum's version since 0.6.0 is not complete: if a ReLU and a MaxPool are neighbours, it leaves out
/// the rule of one of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeepLift;

impl Method for DeepLift {
    fn name(&self) -> &'static str {
        "deep_lift"
    }
}

impl DeepLift {
    /// What the releases 0.6.0 to 0.9.0 of Captum compute instead; see [`RescaleCaptum`]. Two fixes came into Captum in
    /// May 2026, after 0.9.0, so a later release may compute another thing. 0.5.0 agrees with [`DeepLift`].
    pub fn captum() -> DeepLiftCaptum {
        DeepLiftCaptum
    }
}

impl<M: Layered> Explain<M> for DeepLift {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (trace, reference) = (batch.trace(), batch.baseline());
        let start = factors(trace, batch.targets());
        let multipliers = propagate(trace.steps(), &Rescale { reference }, start);
        Ok(batch.difference(0) * multipliers)
    }

    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        sums_of_rescale(batch)
    }
}

/// What DeepLIFT's attributions add up to. At a softmax, [`Rescale`] subtracts a mean from the multipliers, so there is no
/// such sum.
fn sums_of_rescale<M: Layered>(batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
    if batch.model().network().has_softmax() {
        return Ok(None);
    }
    batch.differences_of_scores().map(Some)
}

/// [`DeepLift`] with the error of Captum 0.6 to 0.9, for comparison with results that have it.
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
        let start = factors(&both, &batch.targets().repeat(2));
        let multipliers = propagate(both.steps(), &RescaleCaptum::default(), start);
        let multipliers = multipliers.narrow(0, 0, batch.targets().len());
        Ok(batch.difference(0) * multipliers)
    }

    fn promised_sums(&self, batch: &Batch<'_, M>) -> Result<Option<Vec<f32>>> {
        sums_of_rescale(batch)
    }
}

/// DeepLIFT averaged over several baselines (Lundberg and Lee 2017, as Captum's `DeepLiftShap`),
/// with the [rescale rule](Rescale) as published. Attributions sum to the target's score minus its
/// mean over the baselines, except for a network with a softmax, as those of [`DeepLift`].
#[derive(Clone, Debug)]
pub struct DeepLiftShap {
    /// Images to compare with, `[m, c, h, w]`, in the shape of the explained images.
    pub baselines: Array4<f32>,
}

impl Method for DeepLiftShap {
    fn name(&self) -> &'static str {
        "deep_lift_shap"
    }
}

impl<M: Layered> Explain<M> for DeepLiftShap {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let trace = batch.trace();
        let x = trace.input();
        let [images, shape @ ..] = x.dims();
        let [c, h, w] = shape;
        let (baselines, bc, bh, bw) = self.baselines.dim();
        if baselines == 0 || [bc, bh, bw] != shape {
            return Err(Error::invalid(format!(
                "deep_lift_shap has {baselines} baselines of {:?} for images of {shape:?} (channels, \
                 height, width); give at least one, of the images' shape",
                [bc, bh, bw]
            )));
        }
        let start = factors(trace, batch.targets());
        let network = batch.model().network();
        let mut sum = x.zeros_like();
        for (number, baseline) in self.baselines.axis_iter(Axis(0)).enumerate() {
            let values = baseline.iter().copied().collect();
            let baseline = upload(values, [1, c, h, w], batch.device());
            let each = baseline.clone().repeat_dim(0, images);
            let way = x.clone() - each.clone();
            let masks = batch.masks(self.name(), (0..images).map(|image| (image, number)));
            // If each image has its own masks, it also has its own reference.
            let baseline = if masks.is_some() { each } else { baseline };
            let reference = &Trace::new(&network.layers, baseline, masks);
            sum = sum + way * propagate(trace.steps(), &Rescale { reference }, start.clone());
        }
        Ok(sum / baselines as f32)
    }
}
