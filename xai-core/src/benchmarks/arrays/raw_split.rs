//! A split as read from its files, before it is compared with the other splits.

use std::path::PathBuf;

use ndarray::{Array3, Array4};

use super::column::Column;

/// The type of a file's numbers, as far as it decides about their scale.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Divided by the largest number of the type, which has this name.
    Scaled(&'static str),
    /// Integers of another type, used as they are.
    Integers,
    /// Used as they are.
    Floats,
}

/// The images of a split, and what is known about each.
pub(super) struct RawSplit {
    /// The file with the images, or the table that names them.
    pub file: PathBuf,
    /// The type of the file's numbers.
    pub kind: Kind,
    /// `[n, channels, height, width]`.
    pub images: Array4<f32>,
    /// `[n, height, width]`.
    pub truth: Option<Array3<bool>>,
    pub class: Column,
    pub group: Option<Column>,
}

impl RawSplit {
    /// Channels, height and width of an image.
    pub fn shape(&self) -> [usize; 3] {
        let (_, channels, height, width) = self.images.dim();
        [channels, height, width]
    }
}
