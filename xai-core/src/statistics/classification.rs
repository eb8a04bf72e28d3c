//! How well a classifier separates two classes.

use ndarray::{Axis, aview1};

use super::Interval;
use super::correlation::{normal_quantile, ranks};
use crate::error::{Error, Result};
use crate::metrics::{Auprc, Auroc, Metric};

/// Images by true and predicted class. Class 1 is the positive one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive images classified as positive.
    pub true_positive: usize,
    /// Positive images classified as negative.
    pub false_negative: usize,
    /// Negative images classified as negative.
    pub true_negative: usize,
    /// Negative images classified as positive.
    pub false_positive: usize,
}

impl Confusion {
    /// Counts the classes of images.
    ///
    /// # Errors
    /// If the lists have different lengths, or a class is not 0 or 1.
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

    /// The share of all images that are classified correctly.
    pub fn accuracy(&self) -> Option<Share> {
        let right = self.true_positive + self.true_negative;
        let wrong = self.false_positive + self.false_negative;
        Share::of(right, right + wrong)
    }

    /// The share of positive images classified as positive.
    pub fn sensitivity(&self) -> Option<Share> {
        Share::of(self.true_positive, self.true_positive + self.false_negative)
    }

    /// The share of negative images classified as negative.
    pub fn specificity(&self) -> Option<Share> {
        Share::of(self.true_negative, self.true_negative + self.false_positive)
    }
}

/// A share as two counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The number of images in the part.
    pub part: usize,
    /// The number of all images; not 0.
    pub whole: usize,
}

impl Share {
    /// `None` if `whole` is 0.
    pub fn of(part: usize, whole: usize) -> Option<Self> {
        (whole > 0 && part <= whole).then_some(Self { part, whole })
    }

    /// In 0..=1.
    pub fn value(&self) -> f64 {
        self.part as f64 / self.whole as f64
    }

    /// Wilson's confidence interval (1927) for independent images. Unlike the textbook interval, it
    /// keeps its level near 0 and 1. Equal to
    /// `statsmodels.stats.proportion.proportion_confint(method="wilson")`.
    ///
    /// Several slices of one subject are not independent, so the interval is somewhat too narrow
    /// for them.
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

/// The areas under the ROC and the precision-recall curve of the probabilities of class 1. `None`
/// if there is no image of one of the classes. It uses the code for heat maps: [`Auroc`] and
/// [`Auprc`].
///
/// # Errors
/// If the lists have different lengths, or a probability is not a number.
pub fn areas(class: &[u8], probability: &[f64]) -> Result<Option<[f64; 2]>> {
    if let Some(bad) = probability.iter().find(|value| !value.is_finite()) {
        return Err(Error::invalid(format!(
            "a probability is {bad}, so that images cannot be ranked by it"
        )));
    }
    // Only the order matters. Ranks keep it in 32 bits, where probabilities near 1 would become
    // equal.
    let ranked: Vec<f32> = ranks(probability).iter().map(|&rank| rank as f32).collect();
    let positive: Vec<bool> = class.iter().map(|&class| class == 1).collect();
    let map = aview1(&ranked).insert_axis(Axis(0));
    let truth = aview1(&positive).insert_axis(Axis(0));
    let roc = Auroc.score(map, truth)?;
    let precision_recall = Auprc.score(map, truth)?;
    Ok(roc.zip(precision_recall).map(<[f64; 2]>::from))
}
