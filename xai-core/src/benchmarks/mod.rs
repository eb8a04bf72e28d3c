//! Benchmarks: data with ground truth on which experiments run.

pub mod lesions;
pub mod tetromino;
