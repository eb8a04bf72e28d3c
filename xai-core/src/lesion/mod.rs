//! Artificial lesions: blobs cut from blurred noise, round (regular) or ragged (irregular).
//!
//! In the order of the making: [`noise`] is blurred and binarised ([`otsu`]), taken apart into
//! connected pieces ([`morphology`]) that are measured ([`shape`]), kept in a [`library`] and
//! enlarged; [`placement`] puts them into a brain slice. Each step does exactly what NumPy, SciPy
//! or scikit-image does, in double precision, so that the published lesions come out.

pub mod library;
pub mod morphology;
pub mod noise;
pub mod otsu;
pub mod placement;
pub mod shape;

pub use library::{Class, Lesion, Library, Recipe, Steps, published};
