//! Areas under curves: the map as a classifier of pixels at every threshold.

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::localisation::ranking::{size, ties};
use crate::metrics::{Metric, check};

/// The area under the ROC curve: the probability that a pixel of the ground truth has a higher
/// value than a pixel outside it. A map that ranks the whole ground truth first scores 1. Equal to
/// `sklearn.metrics.roc_auc_score`.
///
/// Equal values count one half, so a constant map scores 0.5. `None` if the ground truth is empty
/// or covers all pixels. Chance level: 0.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auroc;

impl Metric for Auroc {
    fn name(&self) -> &'static str {
        "auroc"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let inside = size(&truth);
        let pairs = inside * (truth.len() - inside);
        // In half pairs, so that the sum is exact.
        let (mut won, mut higher) = (0, 0);
        for tie in ties(map, truth) {
            won += tie.outside * (2 * higher + tie.inside);
            higher += tie.inside;
        }
        Ok((pairs > 0).then(|| won as f64 / (2 * pairs) as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let inside = size(&truth);
        (0 < inside && inside < truth.len()).then_some(0.5)
    }
}

/// The area under the precision-recall curve as the average precision, equal to
/// `sklearn.metrics.average_precision_score`. It is the sum over all thresholds of the precision
/// times the gain in recall, without interpolation, which would be too optimistic. A map that ranks
/// the whole ground truth first scores 1.
///
/// Pixels of equal value share one threshold, so a constant map scores |truth| / pixels. `None` for
/// an empty ground truth. A ground truth of all pixels scores 1.
///
/// Chance level: the mean over all rankings without ties, `(H + (n - H) (k - 1) / (n - 1)) / n` for
/// k of n pixels, with H = 1 + 1/2 + ... + 1/n. It is above k / n, because precision at high
/// thresholds, which few pixels pass, has a long upper tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auprc;

impl Metric for Auprc {
    fn name(&self) -> &'static str {
        "auprc"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let all = size(&truth);
        let (mut sum, mut hits, mut passed) = (0.0, 0, 0);
        for tie in ties(map, truth) {
            hits += tie.inside;
            passed += tie.inside + tie.outside;
            sum += tie.inside as f64 * (hits as f64 / passed as f64);
        }
        Ok((all > 0).then(|| sum / all as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        // For a pixel of the ground truth at rank r, the r - 1 pixels before it include on average
        // (r - 1) (k - 1) / (n - 1) others of the ground truth.
        let (k, n) = (size(&truth) as f64, truth.len() as f64);
        let harmonic: f64 = (1..=truth.len()).map(|rank| 1.0 / rank as f64).sum();
        let others = (k - 1.0) / (n - 1.0).max(1.0);
        (k > 0.0).then(|| (harmonic + (n - harmonic) * others) / n)
    }
}
