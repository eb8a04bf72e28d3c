//! Sources of slices: volumes, the embedded brain, synthetic subjects, folders of scans,
//! pre-training tasks.
//!
//! Everything here is an array on the host. Slices are axial, `[row, column]`: rows run from the
//! front of the head to its back, and columns from the subject's left to the right.

mod affine;
mod brain;
mod bspline;
mod cohort;
mod colin27;
mod drawn_shapes;
mod folder;
mod grid;
mod header;
mod resample;
mod scan;
mod slices;
mod source;
mod table;
mod task;
mod there;
mod volume;

pub use affine::Affine;
pub use brain::Brain;
pub use cohort::{Cohort, SLICE_SHAPE, Sex, Subject, heights};
pub use colin27::{COLIN27, colin27};
pub use drawn_shapes::{SHAPES, shapes_task};
pub use folder::{Folder, FolderKind};
pub use grid::Grid;
pub use scan::{Scan, Stamp};
pub use slices::Slices;
pub use source::{Scanned, ScannedSubject, Source};
pub use task::{Task, sex_task};
pub use volume::Volume;
