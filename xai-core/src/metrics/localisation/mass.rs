//! Relevance mass accuracy: how much of the map lies in the ground truth?

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::{Metric, Precision, check};

/// The share of the map's total |value| in the ground truth (Arras et al. 2022; "importance mass
/// accuracy" of EXACT). A map that is 0 outside the ground truth scores 1.
///
/// Values count by their magnitude, whatever their sign. Quantus adds signed values by default, so
/// its score of a signed map has no bounds. For a map without negative values, the two agree. A map
/// of zeros scores 0, as in EXACT: it finds nothing, and leaving it out would favour the method
/// that made it. `None` for an empty ground truth. A ground truth of all pixels scores 1, unless
/// the map is 0.
///
/// Chance level: |truth| / pixels. This is the score of a uniform map, and the mean over all
/// permutations of the pixels of any map that is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelevanceMassAccuracy;

impl Metric for RelevanceMassAccuracy {
    fn name(&self) -> &'static str {
        "relevance_mass_accuracy"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        if !truth.iter().any(|&inside| inside) {
            return Ok(None);
        }
        let (mut inside, mut total) = (0.0, 0.0);
        for (&value, &truth) in map.iter().zip(&truth) {
            let mass = f64::from(value.abs());
            total += mass;
            inside += if truth { mass } else { 0.0 };
        }
        Ok(Some(if total > 0.0 { inside / total } else { 0.0 }))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth)
    }

    fn adds_absolute_values(&self) -> bool {
        true
    }
}
