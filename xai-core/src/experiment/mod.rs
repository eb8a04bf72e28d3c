//! Sweeps: what varies, what is done, what is kept.
//!
//! `#[experiment]` turns a struct into a [`Spec`]; [`Run`] says what happens in one cell; [`sweep`]
//! does the rest: it lays out the cells ([`Plan`]), fits each, selects by validation, predicts the test set
//! with the winners, explains only then, and keeps everything in a [`store`] that a crash cannot hurt.

pub mod analysis;
mod bench;
pub(crate) mod cli;
mod data;
mod estimate;
mod fine_tuning;
mod frozen;
mod key;
mod lab;
mod lock;
mod log;
mod maps;
mod plan;
mod progress;
mod provenance;
mod restrict;
pub mod results;
mod run;
mod scores;
mod select;
mod settings;
mod spec;
mod splits;
pub mod store;
mod subjects;
mod sweep;
mod test_set;
mod value;
mod weights;
mod whole;
mod why;

pub use crate::training::{Epoch, Validation};
pub use bench::Corpus;
pub use fine_tuning::Checkpoint;
pub use key::Key;
pub use lab::Lab;
pub use maps::read_maps;
pub use plan::{Factor, Plan, Skipped};
pub use progress::Progress;
pub use restrict::{Choice, Restricted, Restriction};
pub use run::{Fitted, Model, Run};
pub use scores::{Predictions, read_scores, write_scores};
pub use settings::Settings;
pub use spec::{Experiment, Parameter, Point, Role, Scale, Select, Skip, Spec};
pub use sweep::{Failure, Outcome, SweepOptions, sweep};
pub use test_set::TestSet;
pub use value::{
    Domain, IntoDomain, IntoSeeds, Level, Needs, ParameterValue, Value, domain, levels, linear,
    log, seeds,
};
pub use why::why;
