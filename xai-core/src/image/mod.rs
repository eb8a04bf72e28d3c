//! Operations on grey images with exactly the results of SciPy and scikit-image.

pub mod filters;
mod gaussian;
mod resize;

pub use gaussian::{gaussian, gaussian_weights};
pub use resize::{Resizer, extremes, resize};
