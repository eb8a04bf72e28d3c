//! Benchmarking explanations of neural networks against ground truth.
//!
//! Modules stand in the order in which data flows; each uses only those above it.

pub mod error;
pub mod random;
pub mod device;
pub mod data;
pub mod lesion;
pub mod benchmark;
pub mod network;
pub mod training;
pub mod attribution;
pub mod score;
pub mod statistics;
pub mod experiment;
pub mod report;

pub use error::{Error, Result};
