//! Runs a sweep through its phases.

mod phases;
mod queue;
mod work;

pub use phases::{Outcome, sweep};
pub use queue::Failure;
pub(crate) use queue::cores;
