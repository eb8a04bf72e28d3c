//! Benchmarking explanations of neural networks against ground truth.
//!
//! Modules stand in the order in which data flows; each uses only those above it.

// Blank lines keep rustfmt from sorting what is the order of the architecture.
pub mod error;

pub mod random;

pub mod device;

pub mod data;

pub mod lesion;

pub mod benchmark;

pub mod network;

pub mod training;

pub mod score;

pub mod attribution;

pub mod evaluation;

pub mod statistics;

pub mod experiment;

pub mod report;

pub use error::{Error, Result};

// The macros name this crate as `::xai_core`, within it too.
extern crate self as xai_core;

/// Runs an experiment from the command line: `fn main() -> ExitCode { xai_core::run::<Fig4Best>() }`.
///
/// Ends with 0, with 1 after a failure (finished cells are kept), with 2 on a wrong option, with 130 after Ctrl-C.
pub fn run<R: experiment::Run>() -> std::process::ExitCode {
    experiment::cli::main::<R>(report::table_text, report::write)
}

/// What an experiment file needs: `use xai_core::prelude::*;`.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use xai_macros::{Level, experiment, explain};

    pub use crate::attribution::{
        Deconvolution, DeepLift, GradientShap, GuidedBackprop, Images, InputXGradient,
        IntegratedGradients, Intensity, Laplace, Lrp, NoModel, Panel, Saliency, Sobel,
    };
    pub use crate::error::{Error, Result};
    pub use crate::experiment::results::Baseline;
    pub use crate::experiment::{Corpus, Epoch, Fitted, Lab, Level, Model, Run, Scale, Validation};
    pub use crate::network::Network;
    pub use crate::score::{Metric, Precision, Score, Scores};
    pub use crate::training::{Depth, Optimizer, Sgd};
}

/// What the macros expand to. Not for people: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::experiment::{Experiment, Level, Point, Spec, domain, levels};
}
