//! Metrics of explanations.
//!
//! - [`localisation`]: does the heat map find the pixels that truly determine the class? An
//!   attribution `[c, h, w]` is first [`combine`]d to a heat map `[h, w]`. A [`Metric`] then
//!   compares the map with the ground truth.
//! - [`faithfulness`]: does the model's score fall when the relevant pixels are removed?
//! - [`robustness`]: does the explanation stay the same when the image changes slightly?
//! - [`randomisation`]: does the explanation change when the model's learned weights are destroyed?
//! - [`complexity`]: does the explanation concentrate on few pixels?
//!
//! The last four need no ground truth. They take models and methods as closures over batches of images
//! `[n, c, h, w]`, so they work with any model and any explanation. The definitions are those of
//! Quantus (Hedström et al. 2023), and tests compare the results with it. As
//! [measures](crate::attribution::Measure), an experiment scores with them.

mod batches;
mod checks;
mod combine;
pub mod complexity;
pub mod faithfulness;
pub mod imputation;
pub mod localisation;
mod metric;
mod names;
mod post;
pub mod randomisation;
pub mod robustness;

pub use checks::{CHECKS, COMPLETENESS_ERROR, CONSTANT_MAP, NOISE_OVER_RANGE, TIED_MAP, ZERO_MAP};
pub(crate) use checks::{completeness_error, failed_checks, is_check};
pub use combine::{Channels, Combine, Sign, combine};
pub use localisation::{
    Auprc, Auroc, Count, Emd, EmdFalseNegativeInvariant, EmdTopK, PointingGame, Precision,
    PrecisionWithoutZeros, RelevanceMassAccuracy, RelevanceRankAccuracy, TopKIntersection,
};
pub use metric::{CHANCE, Metric, Score, Scores, chance_name, group_name};
pub(crate) use metric::{check, is_chance, metric_and_group};
pub use names::{
    Better, Described, METRICS, NAMES, NamedMetric, WITHOUT_TRUTH, better, described, metric_title,
    named,
};
pub use post::PostProcessing;
