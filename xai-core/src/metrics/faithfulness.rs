//! Does the model's score fall when the features marked as relevant are removed?

use ndarray::{Array2, Array4, ArrayView4, Axis};

use super::batches::same_shape;
use crate::error::{Error, Result};

/// Scores of the model as features are removed, most relevant first: "deletion" (Petsiuk et al.
/// 2018) or "pixel flipping" (Bach et al. 2015). A faster fall means a more faithful explanation.
///
/// `images`, `attributions` and `baseline` (the replacement of each feature) are `[n, c, h, w]`.
/// Every channel of a pixel is a separate feature. If the attribution has a single channel, all
/// channels of a pixel are replaced together. Each step replaces `step` more features; among equal
/// attributions, the first in row-major order is replaced first. `predict` returns the score of
/// each image of a batch, e.g. the probability of its class.
///
/// The result is `[n, steps + 1]`. Its first column is the score of the original images. The other
/// columns equal Quantus's `PixelFlipping`.
///
/// # Errors
/// If shapes do not match, if attributions are not finite, if the step is 0, or if `predict` fails.
pub fn deletion(
    images: ArrayView4<f32>,
    attributions: ArrayView4<f32>,
    baseline: ArrayView4<f32>,
    step: usize,
    predict: impl FnMut(ArrayView4<f32>) -> Result<Vec<f64>>,
) -> Result<Array2<f64>> {
    curve(images, baseline, attributions, step, predict)
}

/// Scores of the model as features are added to the baseline, most relevant first (Petsiuk et al.
/// 2018): [`deletion`] in reverse. A faster rise means a more faithful explanation.
///
/// # Errors
/// As [`deletion`].
pub fn insertion(
    images: ArrayView4<f32>,
    attributions: ArrayView4<f32>,
    baseline: ArrayView4<f32>,
    step: usize,
    predict: impl FnMut(ArrayView4<f32>) -> Result<Vec<f64>>,
) -> Result<Array2<f64>> {
    curve(baseline, images, attributions, step, predict)
}

/// The area under each curve `[n, steps + 1]` by the trapezoidal rule, where all steps together
/// have length 1. This is the mean score along the curve. `None` for a curve of a single point.
///
/// Each step replaces `step` of the `features`. The last one replaces the rest, so it may be shorter.
pub fn areas(curves: &Array2<f64>, features: usize, step: usize) -> Vec<Option<f64>> {
    let area = |curve: ndarray::ArrayView1<f64>| {
        let ends = curve.iter().zip(curve.iter().skip(1));
        let widths = (0..features)
            .step_by(step.max(1))
            .map(|done| step.min(features - done));
        let parts = ends
            .zip(widths)
            .map(|((a, b), width)| (a + b) / 2.0 * width as f64);
        (curve.len() > 1).then(|| parts.sum::<f64>() / features as f64)
    };
    curves.outer_iter().map(area).collect()
}

/// Infidelity (Yeh et al. 2019): the mean over perturbed images x' of
/// (a · (x - x') - (f(x) - f(x')))², where a is the attribution. How well do the attributions of the
/// pixels that changed add up to the change of the score? Smaller is better.
///
/// `scaled` first multiplies each attribution by the factor that makes this mean smallest, as the
/// paper recommends and as Captum's `normalize` does. Without it, a method is also judged by the unit of its attributions, such
/// as that of a gradient.
///
/// `images`, `attributions` and each of `perturbed` are `[n, c, h, w]`. `predict` returns the score of
/// each image of a batch.
///
/// # Errors
/// If shapes differ, if there is no perturbed batch, if numbers are not finite, or if `predict` fails.
pub fn infidelity(
    images: ArrayView4<f32>,
    attributions: ArrayView4<f32>,
    perturbed: impl IntoIterator<Item = Array4<f32>>,
    scaled: bool,
    mut predict: impl FnMut(ArrayView4<f32>) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let before = predict(images)?;
    let mut changes = Changes::new(before.len());
    for now in perturbed {
        let scores = predict(now.view())?;
        changes.add(images, now.view(), attributions, &before, &scores)?;
    }
    changes.infidelity(scaled)
}

/// For each image, sums over perturbed images of the squares and the product of what an attribution
/// says a score changes by, and of what it does change by.
pub(crate) struct Changes {
    sums: Vec<[f64; 3]>,
    draws: usize,
}

impl Changes {
    pub(crate) fn new(images: usize) -> Self {
        Self {
            sums: vec![[0.0; 3]; images],
            draws: 0,
        }
    }

    /// Adds one perturbed image for each image.
    pub(crate) fn add(
        &mut self,
        images: ArrayView4<f32>,
        now: ArrayView4<f32>,
        attributions: ArrayView4<f32>,
        before: &[f64],
        after: &[f64],
    ) -> Result<()> {
        same_shape("the perturbed batch", now.shape(), images.shape())?;
        same_shape("the attribution", attributions.shape(), images.shape())?;
        same_shape("the prediction", &[after.len()], &[before.len()])?;
        for (image, sums) in self.sums.iter_mut().enumerate() {
            let [x, now, attribution] =
                [images, now, attributions].map(|batch| batch.index_axis_move(Axis(0), image));
            let changed = x
                .iter()
                .zip(&now)
                .map(|(&x, &now)| f64::from(x) - f64::from(now));
            let parts = attribution.iter().zip(changed);
            let said: f64 = parts.map(|(&a, changed)| f64::from(a) * changed).sum();
            let real = before[image] - after[image];
            let added = [said * said, said * real, real * real];
            sums.iter_mut()
                .zip(added)
                .for_each(|(sum, one)| *sum += one);
        }
        self.draws += 1;
        Ok(())
    }

    /// The mean squared difference for each image.
    pub(crate) fn infidelity(&self, scaled: bool) -> Result<Vec<f64>> {
        if self.draws == 0 {
            return Err(Error::invalid(
                "the infidelity needs at least one perturbed image",
            ));
        }
        let of = |(image, &[said, both, real]): (usize, &[f64; 3])| {
            // A maximum would make 0 of NaN, which is the best score.
            if ![said, both, real].iter().all(|sum| sum.is_finite()) {
                return Err(Error::invalid(format!(
                    "the infidelity of image {image} of the batch is unknown: attributions, images or scores are not \
                     finite"
                )));
            }
            // An attribution that says 0 cannot be scaled.
            let factor = if scaled && said > 0.0 {
                both / said
            } else {
                1.0
            };
            let mean = (factor * factor * said - 2.0 * factor * both + real) / self.draws as f64;
            Ok(mean.max(0.0)) // rounding
        };
        self.sums.iter().enumerate().map(of).collect()
    }
}

/// Scores between one batch and another.
fn curve(
    from: ArrayView4<f32>,
    to: ArrayView4<f32>,
    attributions: ArrayView4<f32>,
    step: usize,
    mut predict: impl FnMut(ArrayView4<f32>) -> Result<Vec<f64>>,
) -> Result<Array2<f64>> {
    let (n, channels, h, w) = from.dim();
    same_shape("the baseline or the images", to.shape(), from.shape())?;
    let together = attributions.dim() == (n, 1, h, w);
    if !together {
        same_shape("the attribution", attributions.shape(), from.shape())?;
    }
    if step == 0 {
        return Err(Error::invalid("a step must have at least 1 feature"));
    }
    let orders: Vec<Vec<usize>> = attributions
        .outer_iter()
        .map(order)
        .collect::<Result<_>>()?;
    let features = if together { h * w } else { channels * h * w };
    let mut now: Array4<f32> = from.to_owned();
    let mut scores = Vec::new();
    for first in std::iter::once(0).chain((0..features).step_by(step).map(|done| done + step)) {
        let changed = first.saturating_sub(step)..first.min(features);
        for (image, order) in orders.iter().enumerate() {
            let (mut now, to) = (
                now.index_axis_mut(Axis(0), image),
                to.index_axis(Axis(0), image),
            );
            for &feature in &order[changed.clone()] {
                let (channel, pixel) = (feature / (h * w), feature % (h * w));
                let channels = if together {
                    0..channels
                } else {
                    channel..channel + 1
                };
                for channel in channels {
                    let place = [channel, pixel / w, pixel % w];
                    now[place] = to[place];
                }
            }
        }
        let column = predict(now.view())?;
        same_shape("the prediction", &[column.len()], &[n])?;
        scores.push(column);
    }
    Ok(Array2::from_shape_fn((n, scores.len()), |(image, step)| {
        scores[step][image]
    }))
}

/// Features in the order of their attributions, largest first.
pub(crate) fn order(attribution: ndarray::ArrayView3<f32>) -> Result<Vec<usize>> {
    let values: Vec<f32> = attribution.iter().copied().collect();
    if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::invalid(format!(
            "the attribution holds {bad}, so its features cannot be ranked"
        )));
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Finite values always compare; the sort is stable.
    order.sort_by(|&a, &b| values[b].partial_cmp(&values[a]).expect("finite"));
    Ok(order)
}
