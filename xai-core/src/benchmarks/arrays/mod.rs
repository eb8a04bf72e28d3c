//! The user's own images, masks and classes, read from files: `--arrays DIR`.
//!
//! `DIR` contains the folders `train`, `validation` and `test`. Each of them contains either these
//! files:
//!
//! | File | Content |
//! |---|---|
//! | `images.npy` | `[n, height, width]` or `[n, channels, height, width]`, floats or integers |
//! | `truth.npy` | `[n, height, width]`, 1 (or true) where a pixel determines the class, else 0; only `test` needs it |
//! | `class.npy` | `[n]`, whole numbers; they need not begin at 0 |
//! | `group.npy` | `[n]`, whole numbers, such as the subject of each image; optional |
//!
//! or a table `labels.csv` with the columns `file` and `class`, and `truth` and `group` as above.
//! `file` and `truth` name PNG files in the folder. They are grey or RGB, with 8 or 16 bits.
//! Classes and groups in a table can be any text.
//!
//! Floats are used as they are. Unsigned integers of 8 or 16 bits, and all PNGs, are divided by the
//! largest number of their type, so that they lie between 0 and 1.

mod benchmark;
mod column;
mod folder;
mod numpy;
mod picture;
mod raw_split;
mod table;

pub use benchmark::{Arrays, ArraysArgs};

/// What an experiment file on the user's own images needs: `use xai_core::arrays::prelude::*;`.
pub mod prelude {
    pub use super::{Arrays, ArraysArgs};
    pub use crate::prelude::*;

    /// The laboratory of this benchmark.
    pub type Lab = crate::sweep::context::Lab<Arrays>;
}
