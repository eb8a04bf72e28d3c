//! How well a classifier separates classes.

use ndarray::{Array2, ArrayView2, Axis, aview1};

use super::correlation::{normal_quantile, ranks};
use super::{Interval, mean};
use crate::error::{Error, Result};
use crate::metrics::{Auprc, Auroc, Metric};

/// Images by true and predicted class. With two classes, class 1 is the positive one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// The number of images, `[true class, predicted class]`.
    pub counts: Array2<usize>,
}

impl Confusion {
    /// Counts the images by class, for this number of classes.
    ///
    /// # Errors
    /// If the lists have different lengths, or a class is not among the classes.
    pub fn of(class: &[u8], predicted: &[u8], classes: usize) -> Result<Self> {
        if class.len() != predicted.len() {
            return Err(Error::invalid(format!(
                "{} predictions for {} images",
                predicted.len(),
                class.len()
            )));
        }
        let mut counts = Array2::zeros((classes, classes));
        for (&class, &predicted) in class.iter().zip(predicted) {
            let place = [usize::from(class), usize::from(predicted)];
            *counts.get_mut(place).ok_or_else(|| {
                Error::invalid(format!(
                    "an image of class {class} predicted as {predicted}: there are only {classes} classes"
                ))
            })? += 1;
        }
        Ok(Self { counts })
    }

    /// The share of all images that are classified correctly.
    pub fn accuracy(&self) -> Option<Share> {
        Share::of(self.counts.diag().sum(), self.counts.sum())
    }

    /// The share of a class's images classified as this class.
    pub fn sensitivity_of(&self, class: usize) -> Option<Share> {
        Share::of(self.counts[[class, class]], self.counts.row(class).sum())
    }

    /// The share of the other classes' images that are not classified as this class.
    pub fn specificity_of(&self, class: usize) -> Option<Share> {
        let others = self.counts.sum() - self.counts.row(class).sum();
        let taken = self.counts.column(class).sum() - self.counts[[class, class]];
        Share::of(others - taken, others)
    }

    /// With two classes, the sensitivity of class 1. With more, the mean over classes (macro average).
    pub fn sensitivity(&self) -> Option<f64> {
        self.average(|class| self.sensitivity_of(class))
    }

    /// With two classes, the specificity of class 1. With more, the mean over classes (macro average).
    pub fn specificity(&self) -> Option<f64> {
        self.average(|class| self.specificity_of(class))
    }

    fn average(&self, share: impl Fn(usize) -> Option<Share>) -> Option<f64> {
        let all: Option<Vec<f64>> = averaged(self.counts.nrows())
            .map(|class| Some(share(class)?.value()))
            .collect();
        mean(&all?)
    }
}

/// The classes over which a mean is taken: the positive one of two, otherwise all.
fn averaged(classes: usize) -> std::ops::Range<usize> {
    match classes {
        2 => 1..2,
        classes => 0..classes,
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

/// The areas under the ROC and the precision-recall curve of the probabilities `[images, classes]`.
///
/// With two classes, they are the areas for class 1. With more classes, they are means over the classes, each compared
/// with all others (macro average; "ovr" in scikit-learn). `None` if a class has no image. The code is that for heat
/// maps: [`Auroc`] and [`Auprc`].
///
/// # Errors
/// If the numbers of images differ, or a probability is NaN or infinite. Minus infinity, the logarithm of a probability of 0,
/// ranks last.
pub fn areas(class: &[u8], probabilities: ArrayView2<f64>) -> Result<Option<[f64; 2]>> {
    let bad = |value: &&f64| value.is_nan() || **value == f64::INFINITY;
    if let Some(bad) = probabilities.iter().find(bad) {
        return Err(Error::invalid(format!(
            "a probability is {bad}, so that images cannot be ranked by it"
        )));
    }
    let of_classes = averaged(probabilities.ncols()).map(|number| {
        // Only the order matters. Ranks preserve it in 32 bits, where probabilities near 1 would
        // become equal.
        let ranked = ranks(&probabilities.column(number).to_vec());
        let ranked: Vec<f32> = ranked.into_iter().map(|rank| rank as f32).collect();
        let positive: Vec<bool> = class
            .iter()
            .map(|&one| usize::from(one) == number)
            .collect();
        let map = aview1(&ranked).insert_axis(Axis(0));
        let truth = aview1(&positive).insert_axis(Axis(0));
        let roc = Auroc.score(map, truth)?;
        let precision_recall = Auprc.score(map, truth)?;
        Ok(roc.zip(precision_recall))
    });
    let of_classes: Option<Vec<(f64, f64)>> = of_classes.collect::<Result<_>>()?;
    Ok(of_classes.and_then(|areas| {
        let (roc, precision_recall): (Vec<f64>, Vec<f64>) = areas.into_iter().unzip();
        Some([mean(&roc)?, mean(&precision_recall)?])
    }))
}
