//! The making of images: artificial lesions, and slices with lesions in them.
//!
//! In the order of the making: [`noise`] is blurred and binarised ([`otsu`]), taken apart into connected pieces
//! ([`morphology`]) whose [`compactness`] is measured, kept in a [`library`] and enlarged; [`placement`] puts them into a
//! brain slice. Each step does exactly what NumPy, SciPy or scikit-image does, in double precision, so that the published
//! lesions come out. A [`Protocol`] says how images are made, [`Defects`] which faults of the public code it repeats.

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
