//! The declaration of a sweep as data: parameters, their values, the scale of a run, and what an
//! experiment adds to its report.

pub mod analysis;
mod published;
mod spec;
mod value;

pub use published::{Published, PublishedValue, Statistic, TEST_ACCURACY, TEST_MAE};
pub use spec::{Code, CodeItems, Experiment, Parameter, Point, Role, Scale, Select, Skip, Spec};
pub use value::{
    Domain, IntoDomain, IntoSeeds, Level, ParameterValue, Value, domain, levels, linear, log, seeds,
};
