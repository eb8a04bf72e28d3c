//! Precision and its kin: do the most relevant pixels lie in the truth?

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::localisation::ranking::{hits, size, top};
use crate::metrics::{Metric, check};

/// With k the number of pixels in the truth, the share of the k highest-valued pixels that lie in it
/// (Oliveira et al. 2024, "explanation performance"). 1 is a map whose top pixels are the truth.
///
/// Exactly k pixels are taken: of equal values the one that comes first in row-major order (top left
/// first) wins, as with a stable sort. The public code of that paper takes fewer where values are equal
/// (see `PrecisionAsPublished`). An empty truth has no precision (`None`); of a truth of all pixels it is 1.
///
/// Chance level: |truth| / pixels, the expected share when any k pixels are equally likely.
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

/// [`Precision`] by the name that it has in Arras et al. (2022, "CLEVR-XAI") and in Quantus.
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

/// The share of the k highest-valued pixels that lie in the truth, for a k that does not depend on the
/// truth (Theiner et al. 2022). Quantus's default of 1,000 is ours as well.
///
/// At most |truth| / k where the truth is smaller than k. Of a map with fewer than k pixels all are
/// taken. Ties, the empty truth and chance are as in [`Precision`]; for k = 0 there is no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopKIntersection {
    /// How many pixels are taken.
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
        let k = self.k.min(map.len());
        let defined = k > 0 && size(&truth) > 0;
        Ok(defined.then(|| hits(map, truth, k) as f64 / k as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth).filter(|_| self.k > 0)
    }
}

/// Whether the one highest-valued pixel lies in the truth: 1 or 0 (Zhang et al. 2018, without their
/// tolerance of 15 pixels).
///
/// Of equal values the first in row-major order is the highest; in Quantus any of them may hit, so that
/// a constant map always does. An empty truth has no score (`None`). Chance level: |truth| / pixels.
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
