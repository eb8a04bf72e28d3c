//! Fitting a network: which layers ([`Depth`]), how ([`Schedule`]), and the loop ([`fit()`]).

pub mod backward;
mod depth;
mod fit;
mod sgd;

pub use backward::calibrate;
pub use depth::Depth;
pub use fit::{Epoch, Examples, Fit, Schedule, Validation, argmax, fit, softmax};
pub use sgd::{Optimizer, Sgd};
