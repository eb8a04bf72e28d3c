//! Questions that compute nothing: an estimate of the rest of a sweep, and why a cell is computed
//! again.

mod estimate;
mod why;

pub(crate) use estimate::Remaining;
pub use why::why;
