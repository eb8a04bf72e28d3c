//! Fitting a network: which layers ([`Depth`]), how ([`Schedule`]), and the loop ([`fit()`]).

pub mod backward;
mod depth;
mod examples;
mod fit;
mod sgd;

pub use backward::calibrate;
pub use depth::Depth;
pub use examples::{Examples, argmax, softmax};
pub use fit::{Epoch, Fit, Schedule, Validation, fit, order};
pub use sgd::{Optimizer, Sgd, State};
