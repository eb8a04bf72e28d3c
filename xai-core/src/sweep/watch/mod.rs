//! Progress of a running sweep, and how the user stops it.

mod lines;
mod log;
mod progress;

pub(crate) use log::{Log, failure};
pub use progress::Progress;
pub(crate) use progress::{Reporter, catch_interrupt, check_interrupt};
