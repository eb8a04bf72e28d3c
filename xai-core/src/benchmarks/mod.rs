//! Benchmarks: data with ground truth on which experiments run.

pub mod arrays;
pub mod lesions;
pub mod tetromino;
