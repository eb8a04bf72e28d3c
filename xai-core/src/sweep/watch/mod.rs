//! What a person sees while a sweep runs, and how they stop it.

mod log;
mod progress;

pub(crate) use log::Log;
pub use progress::Progress;
pub(crate) use progress::{Reporter, catch_interrupt, check_interrupt};
