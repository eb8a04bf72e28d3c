//! Precision: do the most relevant pixels lie in the truth?

use std::cmp::Ordering;

use ndarray::ArrayView2;

use super::{Metric, check};
use crate::error::Result;

/// With k the number of pixels in the truth, the share of the k highest-valued pixels that lie in it
/// (Oliveira et al. 2024, "explanation performance"). 1 is a map whose top pixels are the truth.
///
/// Exactly k pixels are taken: of equal values the one that comes first in row-major order (top left
/// first) wins, as with a stable sort. The paper's code takes fewer where values are equal (its
/// defect D10). An empty truth has no precision (`None`).
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
        if k == 0 {
            return Ok(None);
        }
        let mut pixels: Vec<(f32, usize, bool)> = map
            .iter()
            .zip(&truth)
            .enumerate()
            .map(|(place, (&value, &inside))| (value, place, inside))
            .collect();
        if k < pixels.len() {
            // Only the set of the first k matters, not their order: linear time, no sort.
            pixels.select_nth_unstable_by(k - 1, |a, b| descending(a.0, b.0).then(a.1.cmp(&b.1)));
        }
        let hits = pixels[..k].iter().filter(|(_, _, inside)| *inside).count();
        Ok(Some(hits as f64 / k as f64))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let k = size(&truth);
        (k > 0).then(|| k as f64 / truth.len() as f64)
    }
}

/// Not `total_cmp`, which would put -0 below 0. The values are finite, so they always compare.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

fn size(truth: &ArrayView2<bool>) -> usize {
    truth.iter().filter(|&&inside| inside).count()
}
