//! Summaries and comparisons of scores.
//!
//! What is drawn or counted as independent matters more than the formula: images under one network are alike,
//! and so are the scores of one image under several methods. Functions say what they take for independent.

mod bootstrap;
mod classification;
mod correlation;
mod linear;
mod paired;
mod summary;

pub use bootstrap::{Interval, bootstrap_clusters, bootstrap_mean};
pub use classification::{Confusion, Share, areas};
pub use correlation::{Correlation, coefficient, pearson, ranks, spearman};
pub use linear::{Effect, Effects, LeastSquares, Observation, effects};
pub use paired::{Test, holm, paired_t, wilcoxon};
pub use summary::{BoxSummary, mean, quantile};
