//! Fitting a network: how ([`Schedule`]), on what ([`Examples`]), and the loop ([`fit()`]).

pub mod backward;
mod examples;
mod fit;
mod sgd;
mod tiny;
mod validation;

pub use backward::calibrate;
pub use examples::{Examples, argmax, softmax};
pub use fit::{Fit, Schedule, fit, order};
pub use sgd::{Optimizer, Sgd, State};
pub use tiny::{Rows, TinySchedule, fit_tiny};
#[doc(hidden)]
pub use tiny::gradients as tiny_gradients;
pub use validation::{Epoch, Validation};
