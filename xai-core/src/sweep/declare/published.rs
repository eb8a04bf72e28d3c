//! Values that others have published for the cells of an experiment.

use super::spec::Scale;

/// The metric of a published test accuracy, which belongs to no method.
pub const TEST_ACCURACY: &str = "test_accuracy";

/// The metric of a regression's mean absolute error on the test images, which belongs to no method.
pub const TEST_MAE: &str = "test_mae";

/// What was published about an experiment, for `--against published`.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Where: authors, year, table or figure, and how exactly the values are known.
    pub source: String,
    /// The scales of a run whose images, networks and trainings have the published sizes.
    pub scales: Vec<Scale>,
    /// The values. Those without a counterpart in a run are counted and left out.
    pub values: Vec<PublishedValue>,
}

/// A published value.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedValue {
    /// The levels of the axes, by name: `("depth", "1conv")`.
    pub levels: Vec<(String, String)>,
    /// The method's name in snake case. Empty for [`TEST_ACCURACY`] and [`TEST_MAE`].
    pub method: String,
    /// The metric's name in snake case, [`TEST_ACCURACY`] or [`TEST_MAE`].
    pub metric: String,
    /// What the value is of all images and trainings.
    pub statistic: Statistic,
    /// The value.
    pub value: f64,
}

/// One number for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The median.
    Median,
}
