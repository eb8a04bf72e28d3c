//! What one cell can use: the benchmark's images, the device, shared stages, progress, and the
//! consensus of the winners.

mod benchmark;
mod consensus;
#[expect(clippy::module_inception, reason = "the folder is about the context")]
mod context;
mod frozen;
mod kept;
mod lab;
mod on_device;
mod run;
mod study;
mod test_set;
mod trained;

pub use benchmark::{Benchmark, NoArgs};
pub(crate) use consensus::Consensus;
pub(crate) use context::BUDGET;
pub use context::Context;
pub use lab::Lab;
pub use run::{Fitted, Model, Run};
pub use study::{Opened, Study};
pub use test_set::TestSet;
pub use trained::{Checkpoint, Training};
