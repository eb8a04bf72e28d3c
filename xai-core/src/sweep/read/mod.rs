//! Results of a finished sweep, with their parameters as the experiment's own struct.

mod against;
mod differences;
mod finished;
mod results;

pub(crate) use against::{against_published, against_run, other_sizes};
pub(crate) use differences::{Difference, differences};
pub(crate) use results::Image;
pub use results::{
    Axis, Cell, CellResult, RegressionResult, Results, SweepResult, Tested, results, results_in,
};
