//! Benchmarks: data with ground truth on which experiments run.

pub mod arrays;
pub mod defect_set;
pub mod lesions;
pub mod tetromino;
