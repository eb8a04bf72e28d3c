//! Summaries and comparisons of scores.
