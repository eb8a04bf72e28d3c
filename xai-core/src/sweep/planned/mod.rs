//! A sweep laid out: how it is run, its cells with their keys, and what the store has of each.

mod cell;
mod options;
mod planned_sweep;

pub(crate) use cell::{PlannedCell, consensus, scored, values};
pub use options::SweepOptions;
pub(crate) use planned_sweep::{PlannedSweep, plan_json};
