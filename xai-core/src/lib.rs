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

// The macros name this crate as `::xai_core`, within it too.
extern crate self as xai_core;

/// Runs an experiment from the command line: `fn main() -> ExitCode { xai_core::run::<Fig4Best>() }`.
///
/// Ends with 0, with 1 after a failure (finished cells are kept), with 2 on a wrong option, with 130 after Ctrl-C.
pub fn run<R: experiment::Run>() -> std::process::ExitCode {
    experiment::cli::main::<R>(|_, _| Ok(Vec::new()))
}

/// What an experiment file needs: `use xai_core::prelude::*;`.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use xai_macros::{Level, experiment, explain};

    pub use crate::error::{Error, Result};
    pub use crate::experiment::results::Baseline;
    pub use crate::experiment::{Epoch, Fitted, Lab, Level, Model, Run, Scale, Validation};
    pub use crate::score::{Score, Scores};
}

/// What the macros expand to. Not for people: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::experiment::{Experiment, Level, Point, Spec, domain, levels};
}
