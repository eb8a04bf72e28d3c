//! A sweep that is laid out: its options, its cells with their keys, and what the store has for
//! each.

mod cell;
mod frozen_plan;
mod options;
mod part;
mod plan_file;
mod planned_sweep;

pub(crate) use cell::{
    Agreed, PlannedCell, agreed, classes, consensus, scored, scored_key, values,
};
pub(crate) use frozen_plan::check_frozen;
pub use options::SweepOptions;
pub use part::{Part, PhaseName, Shard};
pub(crate) use part::{ones_with_all_stages, write_list};
pub(crate) use plan_file::PlanFile;
pub(crate) use planned_sweep::PlannedSweep;
