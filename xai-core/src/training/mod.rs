//! Training a network: the settings ([`TrainingPlan`]), the data ([`Examples`]) and the loop
//! ([`fit()`]).

pub mod backward;
mod batch_norm;
mod examples;
mod fit;
mod loss;
mod optimizer;
mod plan;
mod tiny;
mod validation;

pub use batch_norm::{calibrate, insert_batch_norm};
pub(crate) use examples::probabilities;
pub use examples::{Examples, softmax};
pub(crate) use fit::fit_watched;
pub use fit::{Fit, fit, order};
pub use loss::{Errors, Loss, argmax};
pub use optimizer::{Optimizer, OptimizerState, Sgd};
pub use plan::{CheckpointRule, Decay, StopRule, TrainingPlan};
#[doc(hidden)]
pub use tiny::gradients as tiny_gradients;
pub use tiny::{Rows, TinySchedule, fit_tiny};
pub use validation::{Epoch, Validation};
