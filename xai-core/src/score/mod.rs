//! How good an explanation is, given the truth.

use serde::{Deserialize, Serialize};

/// One number about one explanation of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The image's index in its split.
    pub image: u32,
    /// The image's true class.
    pub class: u8,
    /// The method's name in snake case, e.g. `integrated_gradients`.
    pub method: String,
    /// The metric's name in snake case, e.g. `precision`.
    pub metric: String,
    /// The metric's value.
    pub value: f64,
}

/// The rows of `scores.parquet`, one an image, method and metric.
pub type Scores = Vec<Score>;
