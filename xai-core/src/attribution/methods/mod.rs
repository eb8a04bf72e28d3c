//! The methods. Each is a value that holds its options; defaults are Captum's.

mod filters;
mod gradient;
mod path;
mod relevance;

pub use filters::{Intensity, Laplace, Sobel};
pub use gradient::{Deconvolution, GuidedBackprop, InputXGradient, Saliency};
pub use path::{GradientShap, IntegratedGradients};
pub use relevance::{DeepLift, Lrp};
