//! The methods that XAI-TRIS compares, with the paper's settings.

use std::sync::Arc;

use burn::tensor::TensorData;
use ndarray::{ArrayView4, Axis};
use serde_json::json;

use super::models::{explained, logits};
use super::scores::{EmdAsPublished, WithoutMapsOfZeros};
use super::{Defect, Defects, Tetromino};
use crate::attribution::{
    Batch, Deconvolution, DeepLift, DeepTaylor, Enlarge, Explain, FeaturePermutation, GradientShap,
    GuidedBackprop, GuidedGradCam, Images, IntegratedGradients, Intensity, KernelShap, Laplace,
    Lime, Lrp, Method, NoModel, Panel, PatternAttribution, PatternEstimator, PatternNet, Patterns,
    Saliency, ShapleyValueSampling, Sobel, UniformNoise,
};
use crate::dataset::Dataset;
use crate::device::Tensor;
use crate::error::Result;
use crate::image::filters;
use crate::key::{Key, TEST_CODE};
use crate::metrics::{
    EmdFalseNegativeInvariant, PrecisionWithoutZeros, RelevanceMassAccuracy, Scores,
};
use crate::network::{Layer, Network};
use crate::sweep::context::Lab;
use crate::sweep::keep::{SCORES, read_scores, write_scores};

/// The batch size within which the public code permutes the values of a pixel.
const BATCH: usize = 50;
/// The number of samples of LIME and KernelSHAP with X17.
const FEW_SAMPLES: usize = 25;
/// The number of samples without X17: four for each pixel of an 8 x 8 image.
const SAMPLES: usize = 256;
/// The number of replacements per pixel if they do not come from the image's own batch.
const DRAWS: usize = 16;

/// The Sobel gradient along the rows only, as in the public code (X14). It has the name of
/// [`Sobel`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SobelAlongRows;

impl Method for SobelAlongRows {
    fn name(&self) -> &'static str {
        Sobel.name()
    }
}

impl<M> Explain<M> for SobelAlongRows {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        let (n, c, h, w) = batch.pixels().dim();
        let mut values = Vec::with_capacity(n * c * h * w);
        for image in batch.pixels().axis_iter(Axis(0)) {
            for channel in image.axis_iter(Axis(0)) {
                values.extend(filters::sobel_along_rows(channel));
            }
        }
        Ok(Tensor::from_data(
            TensorData::new(values, [n, c, h, w]),
            batch.device(),
        ))
    }
}

impl Lab<Tetromino> {
    /// Explains images by all methods of the paper and scores the maps by precision, earth mover's
    /// distance, relevance mass accuracy and the false-negative-invariant distance.
    ///
    /// # Errors
    /// If the model has another input shape, or if the images have no ground truth.
    pub fn explain_by_all(&self, model: &Network, images: &Images) -> Result<Scores> {
        let train = self.train()?;
        explain(
            model,
            images,
            train.images().view(),
            self.benchmark().defects,
        )
    }

    /// Explains images by the methods that the public code computes with Keras (PatternNet,
    /// PatternAttribution and deep Taylor decomposition), with this estimator of patterns. The scores
    /// are those of [`explain_by_all`](Self::explain_by_all).
    ///
    /// # Errors
    /// As [`explain_by_all`](Self::explain_by_all).
    pub fn explain_as_keras(
        &self,
        model: &Network,
        images: &Images,
        estimator: PatternEstimator,
    ) -> Result<Scores> {
        let train = self.train()?;
        let defects = self.benchmark().defects;
        explain_as_keras(
            &logits(model),
            images,
            train.images().view(),
            defects,
            estimator,
        )
    }

    /// Scores the model-free maps in the same way: edge filters, uniform noise and the image
    /// itself. Networks that are tested on the same images share their scores.
    ///
    /// # Errors
    /// If the images have no ground truth, or if files cannot be written.
    pub fn explain_by_none(&self, images: &Images) -> Result<Scores> {
        let defects = self.benchmark().defects;
        let panel = Panel::new()
            .with(Laplace)
            .with(UniformNoise::default())
            .with(Intensity);
        let panel = if defects.has(Defect::X14) {
            panel.with(SobelAlongRows)
        } else {
            panel.with(Sobel)
        };
        if images.is_empty() {
            return Ok(Scores::new());
        }
        let inputs = json!({
            "images": key_of(images)?,
            "index": images.index,
            "defects": defects.to_string(),
            "code": [TEST_CODE],
        });
        let folder = self.stage("scores_without_model", &inputs, |folder| {
            let hidden = images.clone().shown_in(None);
            let found = panel.score(&NoModel, &hidden, &scores(defects))?;
            write_scores(&folder.join(SCORES), &found)
        })?;
        if images.gallery.is_some() {
            // Their heat maps are shown with those of each network. Only distances take time.
            panel.score(&NoModel, images, &RelevanceMassAccuracy)?;
        }
        read_scores(&folder.join(SCORES))
    }
}

/// The key of the images with their classes and truth.
fn key_of(images: &Images) -> Result<Key> {
    let data = Dataset::new(images.pixels.clone(), images.class.clone())?;
    let data = match &images.truth {
        Some(truth) => data.with_truth(truth.clone())?,
        None => data,
    };
    Ok(data.key().clone())
}

/// Explains `images` by all methods of the paper. Patterns are fitted to `train`, an array
/// `[n, c, h, w]`. See [`explain_by_all`](Lab::explain_by_all).
///
/// # Errors
/// If the model has another input shape, or if the images have no ground truth.
pub fn explain(
    model: &Network,
    images: &Images,
    train: ArrayView4<f32>,
    defects: Defects,
) -> Result<Scores> {
    let subject = explained(model, defects);
    let samples = if defects.has(Defect::X17) {
        FEW_SAMPLES
    } else {
        SAMPLES
    };
    let permutation = if defects.has(Defect::X2) {
        // Captum fails if a last batch has one image, so the public code has no results for such numbers of images. Here
        // the batches are a little smaller then. A single image has no permutation.
        let of = FeaturePermutation::largest_batch(images.len(), BATCH);
        of.map(|of| FeaturePermutation::published(images, of))
    } else {
        Some(FeaturePermutation::new(train.to_owned(), DRAWS))
    };
    let mut panel = Panel::new();
    if let Some(permutation) = permutation {
        panel = panel.with(permutation);
    }
    panel = panel
        .with(IntegratedGradients::default())
        .with(Saliency)
        .with(GradientShap::default())
        .with(Deconvolution)
        .with(ShapleyValueSampling::default())
        .with(Lime {
            samples,
            ..Lime::default()
        })
        .with(KernelShap {
            samples,
            ..KernelShap::default()
        })
        .with(GuidedBackprop);
    panel = if defects.has(Defect::X22) {
        panel.with(DeepLift::captum())
    } else {
        panel.with(DeepLift)
    };
    if model
        .layers
        .iter()
        .any(|layer| matches!(layer, Layer::Conv2d(_)))
    {
        // As the public code has it.
        panel = panel.with(GuidedGradCam {
            enlarge: Enlarge::Nearest,
            ..GuidedGradCam::default()
        });
    }
    let metrics = scores(defects);
    let mut rows = panel.score(&subject, images, &metrics)?;
    // With X3, LRP goes back through the softmax. The last three methods use logits in the public
    // code as well.
    let with_softmax = defects.has(Defect::X2) && defects.has(Defect::X3);
    let without = if defects.has(Defect::X2) {
        logits(model)
    } else {
        subject.clone()
    };
    let lrp = Panel::new().with(Lrp::default());
    rows.extend(lrp.score(
        if with_softmax { &subject } else { &without },
        images,
        &metrics,
    )?);
    rows.extend(explain_as_keras(
        &without,
        images,
        train,
        defects,
        PatternEstimator::Linear,
    )?);
    Ok(rows)
}

/// The methods that the public code computes with Keras: PatternNet, PatternAttribution and deep
/// Taylor decomposition of the logits.
fn explain_as_keras(
    logits: &Network,
    images: &Images,
    train: ArrayView4<f32>,
    defects: Defects,
    estimator: PatternEstimator,
) -> Result<Scores> {
    let patterns = Arc::new(Patterns::fit_by(estimator, logits, train)?);
    Panel::new()
        .with(PatternNet::new(patterns.clone()))
        .with(PatternAttribution::new(patterns))
        .with(DeepTaylor::published())
        .score(logits, images, &scores(defects))
}

/// The four scores. X11 concerns those of the public code.
fn scores(
    defects: Defects,
) -> (
    WithoutMapsOfZeros<PrecisionWithoutZeros>,
    WithoutMapsOfZeros<EmdAsPublished>,
    RelevanceMassAccuracy,
    EmdFalseNegativeInvariant,
) {
    (
        WithoutMapsOfZeros(PrecisionWithoutZeros, defects),
        WithoutMapsOfZeros(EmdAsPublished(defects), defects),
        RelevanceMassAccuracy,
        EmdFalseNegativeInvariant,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_alone_in_a_batch() {
        let of = |images| FeaturePermutation::largest_batch(images, BATCH);
        assert_eq!([of(500), of(30), of(501)], [Some(50), Some(50), Some(49)]);
        assert_eq!([of(2), of(1)], [Some(50), None]);
    }
}
