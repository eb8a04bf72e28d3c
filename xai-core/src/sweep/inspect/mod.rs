//! Questions that compute nothing: how far a sweep is, an estimate of the rest, and why a
//! cell is computed again.

mod estimate;
mod status;
mod why;

pub(crate) use estimate::{Past, Remaining, expected_winners};
pub use status::{Failed, PhaseStatus, Running, Status, status};
pub use why::why;
pub(crate) use why::why_of;
