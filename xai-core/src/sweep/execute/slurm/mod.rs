//! Submits a sweep to Slurm: one job array per phase, each after the one before. Slurm does the rest.

mod commands;
mod pack;
mod script;
mod submission;
mod submit;

pub(super) use submission::job_of_another_plan;
pub use submit::{Submit, submit};
