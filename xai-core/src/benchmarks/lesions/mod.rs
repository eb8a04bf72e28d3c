//! MR slices with artificial lesions: the benchmark of Oliveira et al. 2024, "Benchmarking the
//! influence of pre-training on explanation performance in MR image classification".

mod benchmark;
mod depth;
mod fine_tuning;
mod images;
pub mod imaging;
pub mod making;
mod precision_as_published;
mod pretraining;
mod scans;
mod settings;
mod subjects;
mod variants;
mod weights;

pub use benchmark::LesionArgs;
pub use depth::Depth;
pub use fine_tuning::paper_plan;
pub use precision_as_published::PrecisionAsPublished;
pub use pretraining::Corpus;
pub use settings::Settings;
pub use variants::Lesions;
pub use weights::Pixels;

/// The names that an experiment on this benchmark needs: `use xai_core::lesions::prelude::*;`.
pub mod prelude {
    pub use super::{Corpus, Depth, Lesions, Settings, paper_plan};
    pub use crate::prelude::*;

    /// The laboratory of this benchmark.
    pub type Lab = crate::sweep::context::Lab<Lesions>;
}
