//! Runs a sweep through its phases.

mod freeze;
mod part;
mod phases;
mod queue;
mod slurm;
mod work;

pub use freeze::freeze;
pub(crate) use part::run_part;
pub(crate) use phases::sweep_of;
pub use phases::{Outcome, sweep};
pub use queue::Failure;
pub use slurm::{Submit, submit};
pub(crate) use work::Work;
