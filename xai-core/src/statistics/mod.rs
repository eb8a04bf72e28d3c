//! Summaries and comparisons of scores.
//!
//! The choice of independent units matters more than the formula. Images explained with one network
//! are alike, and so are the scores of one image under several methods. Each function states what
//! it treats as independent.

mod bootstrap;
mod classification;
mod correlation;
mod crossed;
mod linear;
mod paired;
mod summary;

pub use bootstrap::{Interval, bootstrap_clusters, bootstrap_difference, bootstrap_mean};
pub use classification::{Confusion, Share, areas};
pub use correlation::{Correlation, coefficient, kendall, pearson, ranks, spearman};
pub use crossed::bootstrap_crossed;
pub use linear::{Effect, Effects, LeastSquares, Observation, effects};
pub use paired::{Test, holm, paired_t, wilcoxon};
pub use summary::{BoxSummary, mean, quantile};
