//! Operations on grey images that do exactly what SciPy and scikit-image do.

pub mod filters;
mod gaussian;
mod resize;

pub use gaussian::{gaussian, gaussian_weights};
pub use resize::{Resizer, extremes, resize};
