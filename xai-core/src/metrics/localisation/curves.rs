//! Areas under curves: the map as a classifier of pixels, at every threshold.

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::localisation::ranking::{size, ties};
use crate::metrics::{Metric, check};

/// The area under the ROC curve: how likely a pixel of the truth has a higher value than one outside of
/// it. 1 is a map that ranks the whole truth first. Equal to `sklearn.metrics.roc_auc_score`.
///
/// Equal values count one half, so that a constant map scores 0.5. Where the truth is empty or all
/// pixels there is nothing to compare (`None`). Chance level: 0.5.
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
        // In halves of pairs, so that the sum is exact.
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
/// `sklearn.metrics.average_precision_score`: the sum over all thresholds of the precision there times
/// the recall that is gained there, without interpolation (which would be too optimistic).
/// 1 is a map that ranks the whole truth first.
///
/// Pixels of equal value pass the threshold together, so that a constant map scores
/// |truth| / pixels. An empty truth has no score (`None`); of a truth of all pixels it is 1.
///
/// Chance level: the mean over all rankings without ties,
/// `(H + (n - H) (k - 1) / (n - 1)) / n` for k of n pixels, with H = 1 + 1/2 + ... + 1/n.
/// It is above k / n, because precision at high thresholds, which only a few pixels pass, has a long upper tail.
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
        // A pixel of the truth at rank r has, among the r - 1 before it, on average
        // (r - 1) (k - 1) / (n - 1) others of the truth.
        let (k, n) = (size(&truth) as f64, truth.len() as f64);
        let harmonic: f64 = (1..=truth.len()).map(|rank| 1.0 / rank as f64).sum();
        let others = (k - 1.0) / (n - 1.0).max(1.0);
        (k > 0.0).then(|| (harmonic + (n - harmonic) * others) / n)
    }
}
