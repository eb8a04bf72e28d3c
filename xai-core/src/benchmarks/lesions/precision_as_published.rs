//! The score shown in the paper's figures, including its defect.

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::{Metric, Precision, check};

/// [`Precision`] as the public code computes it (defect D10): the share of the pixels strictly
/// above the (k+1)-th highest value that lies in the ground truth.
///
/// If values are equal around that place, there are fewer than k such pixels. The score is
/// undefined (`None`) if there are none, or if the ground truth is empty or everything, so that
/// there is no (k+1)-th value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrecisionAsPublished;

impl Metric for PrecisionAsPublished {
    fn name(&self) -> &'static str {
        "precision_as_published"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let k = truth.iter().filter(|&&inside| inside).count();
        if k == map.len() {
            return Ok(None);
        }
        let mut values: Vec<f32> = map.iter().copied().collect();
        let (_, &mut next, _) = values
            .select_nth_unstable_by(k, |a, b| b.partial_cmp(a).expect("checked to be finite"));
        let taken = map.iter().zip(&truth).filter(|&(&value, _)| value > next);
        let (taken, hits) = taken.fold((0_usize, 0), |(taken, hits), (_, &inside)| {
            (taken + 1, hits + usize::from(inside))
        });
        Ok((taken > 0).then(|| hits as f64 / taken as f64))
    }

    /// As for [`Precision`].
    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        Precision.chance(truth)
    }
}
