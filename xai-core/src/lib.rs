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
pub use experiment::results::{results, results_in};

// The macros name this crate as `::xai_core`, within it too.
extern crate self as xai_core;

/// Runs an experiment from the command line: `fn main() -> ExitCode { xai_core::run::<Fig4Best>() }`.
///
/// Ends with 0, with 1 after a failure (finished cells are kept), with 2 on a wrong option, with 130 after Ctrl-C.
pub fn run<R: experiment::Run>() -> std::process::ExitCode {
    experiment::cli::main::<R>(&experiment::cli::Show {
        table: report::text_of_all,
        report: report::write_all,
        page: report::write_page,
    })
}

/// What an experiment file needs: `use xai_core::prelude::*;`.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use xai_macros::{Level, experiment, explain};

    pub use crate::attribution::{
        BurnModel, Closure, Deconvolution, DeepLift, ExpectedGradients, FeatureAblation,
        GradientShap, GuidedBackprop, Images, InputXGradient, IntegratedGradients, Intensity,
        KernelShap, Laplace, Lime, Lrp, NoModel, Occlusion, Panel, Rise, Saliency, Segments,
        ShapleyValueSampling, Shown, SmoothGrad, Sobel,
    };
    pub use crate::error::{Error, Result};
    pub use crate::experiment::analysis::{
        Analysis, Curve, Curves, Entry, Estimate, Forest, HeatMapColumn, HeatMaps, Part, Table,
    };
    pub use crate::experiment::results::{Baseline, Results, Tested};
    pub use crate::experiment::{
        Checkpoint, Corpus, Epoch, Fitted, Lab, Level, Model, Run, Scale, Validation, linear, log,
    };
    pub use crate::network::Network;
    pub use crate::score::{Channels, Combine, Metric, Precision, Score, Scores, Sign};
    pub use crate::training::{Depth, Optimizer, Sgd};
}

/// What the macros expand to. Not for people: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribution::{Map, NoModel, Panel};
    pub use crate::experiment::{Experiment, Level, Point, Scale, Spec, domain, levels, seeds};
    pub use crate::report::snapshot;

    /// The maps of a panel, one a method.
    pub fn one_each<const N: usize>(maps: Vec<Map>) -> [Map; N] {
        maps.try_into().expect("a panel gives one map a method")
    }
}

/// Runs the examples in the docs of the macros, which cannot depend on this crate.
#[cfg(doctest)]
mod macros {
    #[doc = include_str!("../../xai-macros/docs/experiment.md")]
    mod experiment {}
    #[doc = include_str!("../../xai-macros/docs/explain.md")]
    mod explain {}
    #[doc = include_str!("../../xai-macros/docs/level.md")]
    mod level {}
}
