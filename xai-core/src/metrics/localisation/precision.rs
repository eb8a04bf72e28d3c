//! Precision and related metrics: do the most relevant pixels lie in the ground truth?

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::localisation::ranking::{hits, size, top};
use crate::metrics::{Metric, check};

/// The share of the k highest-valued pixels that lie in the ground truth, where k is the number of pixels
/// in the ground truth (Oliveira et al. 2024, "explanation performance"). A map whose top pixels are the
/// ground truth scores 1.
///
/// Exactly k pixels are taken. Among equal values, the first in row-major order (top left first) wins, as
/// in a stable sort. The public code of that paper takes fewer pixels if values are equal (see
/// `PrecisionAsPublished`). `None` for an empty ground truth. A ground truth of all pixels scores 1.
///
/// Chance level: |truth| / pixels, the expected share if all sets of k pixels are equally likely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Precision;

impl Metric for Precision {
    fn name(&self) -> &'static str {
        "precision"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let k = size(&truth);
        Ok((k > 0).then(|| hits(map, truth, k) as f64 / k as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let k = size(&truth);
        (k > 0).then(|| k as f64 / truth.len() as f64)
    }
}

/// A variant of [`Precision`] in which a pixel of value 0 is never among the most relevant, as in
/// XAI-TRIS (Clark et al. 2024). A map of zeros finds nothing, while [`Precision`] takes its first
/// k pixels.
///
/// It is divided by k even if fewer than k values differ from 0. Everything else is as in
/// [`Precision`]. The chance level is that of a map without zeros, |truth| / pixels. A map with
/// zeros has a lower one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrecisionWithoutZeros;

impl Metric for PrecisionWithoutZeros {
    fn name(&self) -> &'static str {
        "precision_without_zeros"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let k = size(&truth);
        let chosen = top(map.view(), k).into_iter().zip(map.iter().zip(&truth));
        let hits = chosen.filter(|(chosen, (value, inside))| *chosen && **value != 0.0 && **inside);
        Ok((k > 0).then(|| hits.count() as f64 / k as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth)
    }
}

/// [`Precision`] under the name that it has in Arras et al. (2022, "CLEVR-XAI") and in Quantus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelevanceRankAccuracy;

impl Metric for RelevanceRankAccuracy {
    fn name(&self) -> &'static str {
        "relevance_rank_accuracy"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        Precision.score(map, truth)
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth)
    }
}

/// The share of the k highest-valued pixels that lie in the ground truth, for a k that does not depend on
/// the ground truth (Theiner et al. 2022). The default is 1,000, as in Quantus.
///
/// If the ground truth has fewer than k pixels, the score is at most |truth| / k. Ties, an empty ground truth and the
/// chance level are treated as in [`Precision`]. `None` for k = 0, and for a map of at most k pixels, which Quantus
/// refuses: every map would have the same score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopKIntersection {
    /// The number of pixels that are taken.
    pub k: usize,
}

impl Default for TopKIntersection {
    fn default() -> Self {
        Self { k: 1000 }
    }
}

impl Metric for TopKIntersection {
    fn name(&self) -> &'static str {
        "top_k_intersection"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let k = self.k;
        let defined = (1..map.len()).contains(&k) && size(&truth) > 0;
        Ok(defined.then(|| hits(map, truth, k) as f64 / k as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let defined = (1..truth.len()).contains(&self.k);
        Precision.chance(truth).filter(|_| defined)
    }
}

/// Whether the highest-valued pixel lies in the ground truth: 1 or 0 (Zhang et al. 2018, without their
/// tolerance of 15 pixels).
///
/// Among equal values, the first in row-major order counts as the highest. In Quantus it is enough if any of
/// them lies in the ground truth, so a constant map always scores 1. `None` for an empty ground truth. Chance
/// level: |truth| / pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointingGame;

impl Metric for PointingGame {
    fn name(&self) -> &'static str {
        "pointing_game"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        Ok((size(&truth) > 0).then(|| hits(map, truth, 1) as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth)
    }
}
