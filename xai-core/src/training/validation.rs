//! Results of an evaluation.

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};

/// A result on the validation set. Selection sees nothing else.
///
/// A number that does not apply is not a number (NaN). Selection by it is an error.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Validation {
    /// The share of correctly classified images. NaN for a regression.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy, or the mean squared error of a regression.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The mean absolute error of a regression. NaN for a classification.
    #[serde(
        default = "nan",
        deserialize_with = "null_is_nan",
        skip_serializing_if = "is_nan"
    )]
    pub mae: f64,
    /// The coefficient of determination (R2) of a regression: 1 is perfect, and whoever predicts the
    /// mean has 0. NaN for a classification.
    #[serde(
        default = "nan",
        deserialize_with = "null_is_nan",
        skip_serializing_if = "is_nan"
    )]
    pub r2: f64,
}

impl Default for Validation {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            accuracy: f64::NAN,
            loss: f64::NAN,
            mae: f64::NAN,
            r2: f64::NAN,
        }
    }
}

impl PartialEq for Validation {
    /// What does not apply to both is equal.
    fn eq(&self, other: &Self) -> bool {
        let numbers = |of: &Self| [of.accuracy, of.loss, of.mae, of.r2];
        let mut pairs = numbers(self).into_iter().zip(numbers(other));
        pairs.all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
    }
}

/// The record of one pass over the training set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The share of the training images that were classified correctly during the pass. NaN for a
    /// regression.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy of the same, or the mean squared error of a regression.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The result on the validation set after the pass.
    pub validation: Validation,
}

/// An error if the loss of a pass over the training set is not finite. `epoch` is counted from 0.
pub(crate) fn check_loss(loss: f64, epoch: usize, rate: f64) -> Result<()> {
    finite("loss", loss, epoch, rate, "is too large")
}

/// The same for the validation set.
pub(crate) fn check_validation_loss(loss: f64, epoch: usize, rate: f64) -> Result<()> {
    let reason = "may be too large, or an image or response of the validation set is out of range";
    finite("validation loss", loss, epoch, rate, reason)
}

fn finite(what: &str, loss: f64, epoch: usize, rate: f64, reason: &str) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the {what} of epoch {} is {loss}: the learning rate {rate} {reason}",
        epoch + 1
    )))
}

/// JSON writes the losses of a diverged training as `null`.
pub(super) fn null_is_nan<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn nan() -> f64 {
    f64::NAN
}

fn is_nan(number: &f64) -> bool {
    number.is_nan()
}
