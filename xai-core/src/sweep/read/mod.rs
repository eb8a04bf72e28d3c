//! Results of a finished sweep, with their parameters as the experiment's own struct.

mod results;

pub use results::{Cell, CellResult, Results, SweepResult, Tested, results, results_in};
