//! Feature ablation: one part at a time.

use ndarray::Zip;

use super::{Wants, each_image};
use crate::attribution::{Batch, Explain, Method, Predict, Segments};
use crate::device::Tensor;
use crate::error::Result;

/// The decrease of the score when one part of the image is replaced by the baseline (as in Captum).
/// One pass per part.
#[derive(Clone, Debug, Default)]
pub struct FeatureAblation {
    /// The parts.
    pub segments: Segments,
}

impl Method for FeatureAblation {
    fn name(&self) -> &'static str {
        "feature_ablation"
    }
}

impl<M: Predict> Explain<M> for FeatureAblation {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (_, c, h, w) = batch.pixels().dim();
        let parts = self.segments.of([c, h, w])?;
        each_image(batch, Wants::Image, |subject| {
            let without = subject.scores(parts.count(), |part, variant| {
                Zip::from(variant)
                    .and(subject.baseline)
                    .and(parts.labels())
                    .for_each(|value, &baseline, &label| {
                        if label == part {
                            *value = baseline;
                        }
                    });
            })?;
            let falls: Vec<f64> = without.iter().map(|score| subject.score - score).collect();
            Ok(parts.spread(&falls))
        })
    }
}
