//! Training of tiny networks on one thread, many side by side.
//!
//! A network for 8 x 8 images has about a thousand weights. A step takes a few microseconds of
//! arithmetic, so threads, tensors and memory management would cost more than the step itself. This
//! module therefore compiles a network to lists of products. The values of 64 images lie side by
//! side and go through the processor's vector units together, and all memory is allocated once. The
//! trained network is an ordinary one.
//!
//! The training is the same as that of [`fit`](super::fit): mean cross-entropy, and Adam with
//! torch's constants. Tests compare it with torch's and autodiff's gradients. The checkpoint is the
//! epoch with the lowest validation loss.

mod fit_tiny;
mod lanes;
mod passes;
mod program;
mod rows;

#[doc(hidden)]
pub use fit_tiny::gradients;
pub use fit_tiny::{TinySchedule, fit_tiny};
pub use rows::Rows;
