//! A sweep that is laid out: its options, its cells with their keys, and what the store has for
//! each.

mod cell;
mod options;
mod planned_sweep;

pub(crate) use cell::{PlannedCell, consensus, scored, values};
pub use options::SweepOptions;
pub(crate) use planned_sweep::{PlannedSweep, plan_json};
