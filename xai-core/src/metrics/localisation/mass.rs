//! Relevance mass accuracy: how much of the map lies in the truth?

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::{Metric, Precision, check};

/// The share of the map's total |value| that lies in the truth (Arras et al. 2022; "importance mass
/// accuracy" of EXACT). 1 is a map that is 0 outside of the truth.
///
/// Values count by their size, whatever their sign. Quantus adds signed values by default, so that its
/// score of a signed map has no bounds; for a map without negative values the two agree. A map of zeros
/// scores 0, as in EXACT: it finds nothing, and leaving it out would favour the method that made it.
/// An empty truth has no score (`None`); of a truth of all pixels it is 1, unless the map is 0.
///
/// Chance level: |truth| / pixels, which is the score of a uniform map, and the mean over all ways to
/// shuffle the pixels of any map but 0.
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
}
