//! Results of an evaluation.

use serde::{Deserialize, Deserializer, Serialize};

/// A result on the validation set. Selection sees nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The share of correctly classified images.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
}

/// The record of one pass over the training set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The share of the training images that were classified correctly during the pass.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy of the same.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The result on the validation set after the pass.
    pub validation: Validation,
}

/// JSON writes the losses of a diverged training as `null`.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
