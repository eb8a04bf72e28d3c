//! The making of images: artificial lesions, and slices with lesions in them.
//!
//! In order: [`noise`] is blurred and binarised ([`otsu`]), and split into connected components
//! ([`morphology`]). The [`compactness`] of each component is measured. Those that fit a class are
//! kept in a [`library`] and enlarged. [`placement`] puts them into a brain slice. Each step does
//! exactly what NumPy, SciPy or scikit-image does, in double precision, to reproduce the published
//! lesions. A [`Protocol`] defines how images are made. [`Defects`] are the defects of the public
//! code to repeat.

pub mod compactness;
mod defects;
mod filters;
pub mod library;
pub mod morphology;
pub mod noise;
pub mod otsu;
mod painter;
pub mod placement;
mod protocol;
mod samples;

pub use defects::{Defect, Defects};
pub use filters::baselines;
pub use library::{Class, Lesion, Library, Recipe, Steps, published};
pub use painter::{Painted, Painter};
pub use protocol::{Protocol, Split, background};
pub use samples::Samples;
