//! The trait of a metric, and the rows of scores.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One number about one explanation of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The image's index in its split.
    pub image: u32,
    /// The image's true class.
    pub class: u8,
    /// The method's name in snake case, e.g. `integrated_gradients`.
    pub method: String,
    /// The metric's name in snake case, e.g. `precision`. For scores of a group of images, see
    /// [`group_name`].
    pub metric: String,
    /// The metric's value.
    pub value: f64,
}

/// The rows of `scores.parquet`, one per image, method and metric.
pub type Scores = Vec<Score>;

/// The entry for the method in rows of chance levels. The chance level depends on the ground truth of an image, but not on
/// a method.
pub const CHANCE: &str = "chance";

/// The name under which the chance level of a metric is stored beside its scores, e.g.
/// `precision_chance`; see [`Metric::chance`].
pub fn chance_name(metric: &str) -> String {
    format!("{metric}_chance")
}

/// Whether scores under this name are chance levels.
pub(crate) fn is_chance(metric: &str) -> bool {
    metric.ends_with("_chance")
}

/// The name of a metric on a group of images that a study examines separately:
/// `precision:misclassified`.
///
/// Tables, figures and the page show the metric for all images only. A study's own analysis shows
/// its groups.
pub fn group_name(metric: &str, group: &str) -> String {
    format!("{metric}:{group}")
}

/// The metric and, if the scores are those of a group of images, the group.
pub(crate) fn metric_and_group(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((metric, group)) => (metric, Some(group)),
        None => (name, None),
    }
}

/// How well a heat map finds the ground truth. Larger is better, except for counts of
/// wrong pixels; see [`METRICS`](super::METRICS).
pub trait Metric: Sync {
    /// The name in snake case, as in score rows. It may not end in `_chance`, as those of chance levels do.
    fn name(&self) -> &'static str;

    /// The score of a heat map `[h, w]` (larger is more relevant) for the ground truth `[h, w]`.
    ///
    /// `None` if the metric is undefined for this ground truth, for example because it is empty. Such
    /// an image is left out instead of being counted as 0.
    ///
    /// # Errors
    /// If the shapes differ, or if the map contains NaN or infinity. The pixels of such a map cannot be
    /// ranked, and a score would hide that the explanation failed.
    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>>;

    /// The chance level: the expected score of a map with uniformly random ranks, unless the
    /// metric's documentation says otherwise. `None` if there is no score.
    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64>;

    /// Whether the score adds up absolute values, instead of ranking pixels. In signed maps, pixels
    /// that [`inside_image`](super::PostProcessing::inside_image) drops are then 0.
    fn adds_absolute_values(&self) -> bool {
        false
    }
}

/// Checks what every metric requires of its input: equal shapes and finite values.
pub(crate) fn check(map: &ArrayView2<f32>, truth: &ArrayView2<bool>) -> Result<()> {
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
