//! Benchmarks for explanations of neural networks, with ground truth.
//!
//! Modules are listed in the order in which data flows. Each module uses only those above it.

#![warn(missing_docs)]
// They panic if nobody reads; `process` has functions that do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

// The blank lines keep rustfmt from sorting the modules. Their order is the architecture.
pub mod error;

mod suggest;

mod process;

pub mod files;

pub mod npy;

pub mod random;

pub mod key;

pub mod device;

pub mod image;

pub mod dataset;

pub mod network;

pub mod training;

pub mod metrics;

pub mod attribution;

pub mod statistics;

pub mod sweep;

pub mod defect_set;

pub mod benchmarks;

pub mod report;

mod cli;

pub use benchmarks::{arrays, lesions, tetromino};

pub use error::{Error, Result};
pub use sweep::read::{results, results_in};

// The macros name this crate as `::xai_core`, also inside this crate.
extern crate self as xai_core;

/// Runs an experiment from the command line:
/// `fn main() -> ExitCode { xai_core::run::<Fig4Best>() }`.
///
/// The exit code is 0 on success, 1 after a failure (finished cells are kept), 2 if the command line
/// cannot be read, and 130 after Ctrl-C.
pub fn run<R: sweep::context::Run>() -> std::process::ExitCode {
    cli::main::<R>(&cli::Show {
        table: report::text_of_all,
        report: report::write_all,
        page: report::write_page,
        has_page: report::has_page,
        archive: report::write_crate,
        archived: report::licence_of_crate,
    })
}

/// The names that an experiment file needs: `use xai_core::prelude::*;`. Each benchmark has its own
/// prelude, which adds its names.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use xai_macros::{Level, experiment, explain};

    pub use crate::attribution::{
        Baseline, BurnModel, Closure, Deconvolution, DeepLift, Deletion, ExpectedGradients,
        FeatureAblation, GradientShap, GuidedBackprop, Images, Infidelity, InputXGradient,
        Insertion, IntegratedGradients, Intensity, KernelShap, Laplace, Lime, Lrp, MaxSensitivity,
        Mprt, NoModel, Occlusion, Panel, PixelFlipping, RandomLogit, Rise, Road, Saliency,
        Segments, ShapleyValueSampling, Shown, SmoothGrad, Sobel, Sparseness, Target,
    };
    pub use crate::dataset::{Dataset, Split};
    pub use crate::error::{Error, Result};
    pub use crate::metrics::{
        Channels, Combine, Metric, PostProcessing, Precision, Score, Scores, Sign,
    };
    pub use crate::network::Network;
    pub use crate::sweep::context::{
        Benchmark, Checkpoint, Context, Fitted, Lab, Model, NoArgs, Run, Training,
    };
    pub use crate::sweep::declare::analysis::{
        Analysis, AnalysisItem, Curve, Curves, Estimate, Forest, HeatMapColumn, HeatMaps, Table,
        TableValue,
    };
    pub use crate::sweep::declare::{
        Level, Published, PublishedValue, Scale, Statistic, TEST_ACCURACY, TEST_MAE, linear, log,
    };
    pub use crate::sweep::keep::Reference;
    pub use crate::sweep::read::{Results, Tested};
    pub use crate::training::{
        CheckpointRule, Decay, Epoch, Errors, Examples, Loss, Optimizer, Sgd, StopRule,
        TrainingPlan, Validation,
    };
}

/// Names for the expansions of the macros. Not a public interface: they may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribution::{Map, NoModel, Panel};
    pub use crate::report::snapshot;
    // A crate with `snapshot = smoke` needs no dependency of its own for the test.
    pub use crate::sweep::declare::{Experiment, Level, Point, Scale, Spec, domain, levels, seeds};
    pub use insta;

    /// The maps of a panel as an array, one per method.
    pub fn one_each<const N: usize>(maps: Vec<Map>) -> [Map; N] {
        maps.try_into().expect("a panel gives one map a method")
    }
}

/// Runs the examples in the docs of the macros. The macro crate cannot depend on this crate.
#[cfg(doctest)]
mod macros {
    #[doc = include_str!("../../xai-macros/docs/experiment.md")]
    mod experiment {}
    #[doc = include_str!("../../xai-macros/docs/explain.md")]
    mod explain {}
    #[doc = include_str!("../../xai-macros/docs/level.md")]
    mod level {}
}
