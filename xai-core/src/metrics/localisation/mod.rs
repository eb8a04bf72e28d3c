//! How well a heat map finds the pixels that determine the class.

mod count;
mod curves;
mod emd;
mod mass;
mod precision;
mod ranking;
mod transport;

pub use count::Count;
pub use curves::{Auprc, Auroc};
pub use emd::{Emd, EmdFalseNegativeInvariant, EmdTopK};
pub use mass::RelevanceMassAccuracy;
pub use precision::{
    PointingGame, Precision, PrecisionWithoutZeros, RelevanceRankAccuracy, TopKIntersection,
};
