//! Fitting a network: how ([`Schedule`]), on what ([`Examples`]), and the loop ([`fit()`]).

pub mod backward;
mod examples;
mod fit;
mod sgd;
mod validation;

pub use backward::calibrate;
pub use examples::{Examples, argmax, softmax};
pub use fit::{Fit, Schedule, fit, order};
pub use sgd::{Optimizer, Sgd, State};
pub use validation::{Epoch, Validation};
