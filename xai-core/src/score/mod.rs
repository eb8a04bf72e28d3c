//! How good an explanation is, given the truth.
//!
//! An attribution `[c, h, w]` is first [`combine`]d to a heat map `[h, w]`; a [`Metric`] then compares
//! the map with the set of pixels that truly determine the class. The edge filters that every
//! explanation should beat are in [`filters`].

mod as_published;
mod combine;
pub mod filters;
mod precision;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use as_published::PrecisionAsPublished;
pub use combine::combine;
pub use precision::Precision;

/// The metric name under which a chance level is stored beside the scores; see [`Metric::chance`].
pub const CHANCE: &str = "chance";

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

/// A measure of how well a heat map finds the truth.
pub trait Metric: Sync {
    /// The name in snake case that score rows carry.
    fn name(&self) -> &'static str;

    /// The score of a heat map `[h, w]` (larger is more relevant) against the truth set `[h, w]`.
    ///
    /// `None` where the metric is undefined for this truth, as for one without a single pixel:
    /// such an image is left out rather than counted as 0.
    ///
    /// # Errors
    /// Different shapes, and a map that holds NaN or an infinity: it has no ranking, so a score of
    /// it would only hide that the explanation failed.
    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>>;

    /// The expected score of a map that knows nothing (uniformly random ranks), if the metric has one.
    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64>;
}

/// What every metric asks of its input: equal shapes and finite values.
fn check(map: &ArrayView2<f32>, truth: &ArrayView2<bool>) -> Result<()> {
    if map.dim() != truth.dim() {
        return Err(Error::invalid(format!(
            "the heat map is {:?} pixels, the truth {:?}; resize one to the other before scoring",
            map.dim(),
            truth.dim()
        )));
    }
    if let Some(((y, x), value)) = map.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::invalid(format!(
            "the heat map holds {value} at row {y}, column {x}, so its pixels cannot be ranked; \
             check the network's weights and the method's divisions"
        )));
    }
    Ok(())
}
