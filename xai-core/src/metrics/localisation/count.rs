//! The four counts behind precision.

use ndarray::ArrayView2;

use crate::error::Result;
use crate::metrics::localisation::ranking::{hits, size};
use crate::metrics::{Metric, check};

/// The number of pixels that the top-k mask gets right or wrong, where k is the number of pixels in
/// the ground truth. There are therefore as many false positives as false negatives. Ties are
/// broken as in [`Precision`](super::Precision). The counts are also defined for an empty or a full
/// ground truth.
///
/// Chance level, with n pixels in total: k^2 / n true positives, the mean of the hypergeometric
/// distribution. The other counts follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Pixels of the ground truth that are among the top k.
    TruePositives,
    /// Pixels outside the ground truth that are not among the top k.
    TrueNegatives,
    /// Pixels outside the ground truth that are among the top k.
    FalsePositives,
    /// Pixels of the ground truth that are not among the top k.
    FalseNegatives,
}

impl Count {
    /// This count, given the number of true positives.
    fn of(self, true_positives: f64, truth: &ArrayView2<bool>) -> f64 {
        let (k, n) = (size(truth) as f64, truth.len() as f64);
        match self {
            Self::TruePositives => true_positives,
            Self::TrueNegatives => n - 2.0 * k + true_positives,
            Self::FalsePositives | Self::FalseNegatives => k - true_positives,
        }
    }
}

impl Metric for Count {
    fn name(&self) -> &'static str {
        match self {
            Self::TruePositives => "true_positives",
            Self::TrueNegatives => "true_negatives",
            Self::FalsePositives => "false_positives",
            Self::FalseNegatives => "false_negatives",
        }
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        Ok(Some(self.of(hits(map, truth, size(&truth)) as f64, &truth)))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let k = size(&truth) as f64;
        let pixels = truth.len().max(1) as f64;
        Some(self.of(k * k / pixels, &truth))
    }
}
