//! Where images come from: volumes, the embedded brain, synthetic subjects, pre-training tasks.
//!
//! Everything here is a host array. Slices are axial, `[row, column]`: rows run from the front of
//! the head to its back, columns from the subject's left to the right.

mod bspline;
mod cohort;
mod colin27;
mod filter;
mod resize;
mod shapes;
mod task;
mod volume;

pub use cohort::{Cohort, SLICE_SHAPE, Sex, Subject, heights};
pub use colin27::colin27;
pub use filter::gaussian;
pub use resize::{Resizer, extremes, resize};
pub use shapes::{SHAPES, shapes_task};
pub use task::{Task, sex_task};
pub use volume::Volume;
