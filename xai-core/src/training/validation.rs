//! What an evaluation comes to.

use serde::{Deserialize, Deserializer, Serialize};

/// A result on the validation set: the only thing that a selection may look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The share of correctly classified images.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// The mean cross-entropy.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
}

/// What one pass over the training set came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Share of the training images classified correctly while they were trained on.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
    /// Mean cross-entropy of the same.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The result on the validation set after the pass.
    pub validation: Validation,
}

/// A training that diverged has losses that JSON can only write as `null`.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
