//! Questions about a sweep that compute nothing: what the rest will take, and why a cell is computed again.

mod estimate;
mod why;

pub(crate) use estimate::Remaining;
pub use why::why;
