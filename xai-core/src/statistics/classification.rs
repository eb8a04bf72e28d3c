//! How well a classifier of two classes tells them apart.

use ndarray::{Axis, aview1};

use super::Interval;
use super::correlation::{normal_quantile, ranks};
use crate::error::{Error, Result};
use crate::metrics::{Auprc, Auroc, Metric};

/// Images by true and predicted class. Class 1 is the positive one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive ones that were found.
    pub true_positive: usize,
    /// Positive ones that were missed.
    pub false_negative: usize,
    /// Negative ones that were left alone.
    pub true_negative: usize,
    /// Negative ones that were taken for positive.
    pub false_positive: usize,
}

impl Confusion {
    /// Counts the classes of images.
    ///
    /// # Errors
    /// Lists of different lengths, and classes beside 0 and 1.
    pub fn of(class: &[u8], predicted: &[u8]) -> Result<Self> {
        if class.len() != predicted.len() {
            return Err(Error::invalid(format!(
                "{} predictions for {} images",
                predicted.len(),
                class.len()
            )));
        }
        let mut counts = Self::default();
        for pair in class.iter().zip(predicted) {
            match pair {
                (1, 1) => counts.true_positive += 1,
                (1, 0) => counts.false_negative += 1,
                (0, 0) => counts.true_negative += 1,
                (0, 1) => counts.false_positive += 1,
                (class, predicted) => {
                    return Err(Error::invalid(format!(
                        "an image of class {class} predicted as {predicted}: only classes 0 and 1 have a confusion of two"
                    )));
                }
            }
        }
        Ok(counts)
    }

    /// The share of all images that are right.
    pub fn accuracy(&self) -> Option<Share> {
        let right = self.true_positive + self.true_negative;
        let wrong = self.false_positive + self.false_negative;
        Share::of(right, right + wrong)
    }

    /// The share of positive images that are found.
    pub fn sensitivity(&self) -> Option<Share> {
        Share::of(self.true_positive, self.true_positive + self.false_negative)
    }

    /// The share of negative images that are left alone.
    pub fn specificity(&self) -> Option<Share> {
        Share::of(self.true_negative, self.true_negative + self.false_positive)
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub part: usize,
    /// Of how many; not 0.
    pub whole: usize,
}

impl Share {
    /// `None` of nothing.
    pub fn of(part: usize, whole: usize) -> Option<Self> {
        (whole > 0 && part <= whole).then_some(Self { part, whole })
    }

    /// In 0..=1.
    pub fn value(&self) -> f64 {
        self.part as f64 / self.whole as f64
    }

    /// Wilson's confidence interval (1927), of independent images: unlike the textbook's it keeps its level near 0 and 1.
    /// Equal to `statsmodels.stats.proportion.proportion_confint(method="wilson")`.
    ///
    /// Several slices of one subject are not independent, so that it is somewhat too narrow for those.
    pub fn interval(&self, level: f64) -> Interval {
        let z = normal_quantile(0.5 + level / 2.0);
        let (p, n) = (self.value(), self.whole as f64);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let reach = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + (z / (2.0 * n)).powi(2)).sqrt();
        Interval {
            low: (middle - reach).max(0.0),
            high: (middle + reach).min(1.0),
        }
    }
}

/// The areas under the ROC and the precision-recall curve of the probabilities of class 1; `None` where an image of
/// either class is missing. The same code as for heat maps: [`Auroc`] and [`Auprc`].
///
/// # Errors
/// Lists of different lengths, and probabilities that are no numbers.
pub fn areas(class: &[u8], probability: &[f64]) -> Result<Option<[f64; 2]>> {
    if let Some(bad) = probability.iter().find(|value| !value.is_finite()) {
        return Err(Error::invalid(format!(
            "a probability is {bad}, so that images cannot be ranked by it"
        )));
    }
    // Only the order counts, and ranks keep it in 32 bits: probabilities near 1 would become equal.
    let ranked: Vec<f32> = ranks(probability).iter().map(|&rank| rank as f32).collect();
    let positive: Vec<bool> = class.iter().map(|&class| class == 1).collect();
    let map = aview1(&ranked).insert_axis(Axis(0));
    let truth = aview1(&positive).insert_axis(Axis(0));
    let roc = Auroc.score(map, truth)?;
    let precision_recall = Auprc.score(map, truth)?;
    Ok(roc.zip(precision_recall).map(<[f64; 2]>::from))
}
