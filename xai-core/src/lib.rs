//! Benchmarking explanations of neural networks against ground truth.
//!
//! Modules stand in the order in which data flows; each uses only those above it.

// Blank lines keep rustfmt from sorting what is the order of the architecture.
pub mod error;

mod suggest;

pub mod files;

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

pub mod benchmarks;

pub mod report;

mod cli;

pub use benchmarks::lesions;

pub use error::{Error, Result};
pub use sweep::read::{results, results_in};

// The macros name this crate as `::xai_core`, within it too.
extern crate self as xai_core;

/// Runs an experiment from the command line: `fn main() -> ExitCode { xai_core::run::<Fig4Best>() }`.
///
/// Ends with 0, with 1 after a failure (finished cells are kept), with 2 on a wrong option, with 130 after Ctrl-C.
pub fn run<R: sweep::context::Run>() -> std::process::ExitCode {
    cli::main::<R>(&cli::Show {
        table: report::text_of_all,
        report: report::write_all,
        page: report::write_page,
    })
}

/// What an experiment file needs: `use xai_core::prelude::*;`. A benchmark has a prelude of its own, which adds its names.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use xai_macros::{Level, experiment, explain};

    pub use crate::attribution::{
        Baseline, BurnModel, Closure, Deconvolution, DeepLift, ExpectedGradients, FeatureAblation,
        GradientShap, GuidedBackprop, Images, InputXGradient, IntegratedGradients, Intensity,
        KernelShap, Laplace, Lime, Lrp, NoModel, Occlusion, Panel, Rise, Saliency, Segments,
        ShapleyValueSampling, Shown, SmoothGrad, Sobel,
    };
    pub use crate::dataset::{Dataset, Split};
    pub use crate::error::{Error, Result};
    pub use crate::metrics::{Channels, Combine, Metric, Precision, Score, Scores, Sign};
    pub use crate::network::Network;
    pub use crate::sweep::context::{
        Benchmark, Checkpoint, Context, Fitted, Lab, Model, NoArgs, Run, Training,
    };
    pub use crate::sweep::declare::analysis::{
        Analysis, Curve, Curves, Entry, Estimate, Forest, HeatMapColumn, HeatMaps, Part, Table,
    };
    pub use crate::sweep::declare::{Level, Scale, linear, log};
    pub use crate::sweep::keep::Reference;
    pub use crate::sweep::read::{Results, Tested};
    pub use crate::training::{Epoch, Examples, Optimizer, Schedule, Sgd, Validation};
}

/// What the macros expand to. Not for people: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribution::{Map, NoModel, Panel};
    pub use crate::report::snapshot;
    pub use crate::sweep::declare::{Experiment, Level, Point, Scale, Spec, domain, levels, seeds};

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
