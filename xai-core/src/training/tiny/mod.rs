//! Training of tiny networks on one thread, many side by side.
//!
//! A network of an 8 x 8 image has some thousand weights. A step through it is a few microseconds of arithmetic, so that
//! threads, tensors and their memory would cost more than it. Here a network is compiled to lists of products. Values of 64
//! images lie side by side and go through the processor's vectors together, and all memory is taken once. The network that
//! comes out is an ordinary one.
//!
//! The same training as [`fit`](super::fit) does it (mean cross-entropy, Adam with torch's constants), held to torch's and
//! to autodiff's gradients by tests; the checkpoint is that with the lowest validation loss.

mod fit_tiny;
mod lanes;
mod passes;
mod program;
mod rows;

#[doc(hidden)]
pub use fit_tiny::gradients;
pub use fit_tiny::{TinySchedule, fit_tiny};
pub use rows::Rows;
