//! How good an explanation is.
//!
//! - [`localisation`]: does the heat map find the pixels that truly determine the class? An attribution `[c, h, w]` is first
//!   [`combine`]d to a heat map `[h, w]`; a [`Metric`] then compares the map with the truth.
//! - [`faithfulness`]: does the model's score fall when the pixels that are called relevant are taken away?
//! - [`robustness`]: does the explanation stay the same when the image hardly changes?
//! - [`randomisation`]: does the explanation change when what the model learned is destroyed?
//!
//! The last three need no truth. Their models and methods are closures over batches of images `[n, c, h, w]`, so that any
//! model and any explanation can be asked. Definitions are those of Quantus (Hedström et al. 2023), to which the tests compare.

mod batches;
mod combine;
pub mod faithfulness;
pub mod localisation;
mod metric;
mod names;
pub mod randomisation;
pub mod robustness;

pub use combine::{Channels, Combine, Sign, combine};
pub use localisation::{
    Auprc, Auroc, Count, Emd, EmdFalseNegativeInvariant, EmdTopK, PointingGame, Precision,
    PrecisionWithoutZeros, RelevanceMassAccuracy, RelevanceRankAccuracy, TopKIntersection,
};
pub use metric::{CHANCE, Metric, Metrics, Score, Scores, chance_name, group_name};
pub(crate) use metric::{check, is_chance, metric_and_group};
pub use names::{METRICS, NAMES, NamedMetric, metric_title, named};
