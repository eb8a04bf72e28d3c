//! Summaries and comparisons of scores.

mod bootstrap;
mod summary;

pub use bootstrap::{Interval, bootstrap_mean};
pub use summary::{BoxSummary, mean, quantile};
