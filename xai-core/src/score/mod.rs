//! How good an explanation is, given the truth.
//!
//! An attribution `[c, h, w]` is first [`combine`]d to a heat map `[h, w]`; a [`Metric`] then compares
//! the map with the set of pixels that truly determine the class. The edge filters that every
//! explanation should beat are in [`filters`].

mod as_published;
mod combine;
mod count;
mod curves;
mod emd;
pub mod filters;
mod mass;
mod metric;
mod names;
mod precision;
mod ranking;
mod transport;

pub use as_published::PrecisionAsPublished;
pub use combine::{Channels, Combine, Sign, combine};
pub use count::Count;
pub use curves::{Auprc, Auroc};
pub use emd::{Emd, EmdTopK};
pub use mass::RelevanceMassAccuracy;
pub use metric::{CHANCE, Metric, Metrics, Score, Scores, chance_name};
pub use names::{NAMES, named};
pub use precision::{PointingGame, Precision, RelevanceRankAccuracy, TopKIntersection};

use metric::check;
