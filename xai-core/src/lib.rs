//! Benchmarking explanations of neural networks against ground truth.
//!
//! Modules stand in the order in which data flows; each uses only those above it.

pub mod attribution;
pub mod benchmark;
pub mod data;
pub mod device;
pub mod error;
pub mod experiment;
pub mod lesion;
pub mod network;
pub mod random;
pub mod report;
pub mod score;
pub mod statistics;
pub mod training;

pub use error::{Error, Result};
