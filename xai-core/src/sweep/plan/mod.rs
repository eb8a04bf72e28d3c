//! From a design to its cells: the cross product, restrictions, and the selection of winners.

mod cells;
mod factor;
mod ranges;
mod restrict;
mod select;

pub(crate) use cells::part;
pub use cells::{Absence, Absent, Plan, Skipped};
pub use factor::Factor;
pub(crate) use ranges::{positions, ranges};
pub use restrict::{Choice, Restricted, Restriction};
pub(crate) use restrict::{factor, seeds, values};
pub(crate) use select::winners;
