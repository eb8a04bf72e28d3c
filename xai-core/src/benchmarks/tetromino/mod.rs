//! XAI-TRIS: tetrominoes in noise (Clark, Wilming and Haufe 2024, "XAI-TRIS: non-linear image benchmarks to quantify
//! false positive post-hoc attribution of feature importance").
//!
//! Which tetromino an image shows, where, or with which sign, decides its class: four [`Scenario`]s, three kinds of
//! [`Background`], two [`Size`]s. In smooth noise, pixels beside a tetromino are suppressors: they say nothing of the
//! class by themselves, yet a model can use them to subtract the noise. With its [`Defects`] the benchmark is the public
//! code's: images bit for bit, models, settings of methods and scores.

mod backgrounds;
mod benchmark;
mod closed_form;
mod defects;
mod making;
mod methods;
mod models;
mod placing;
mod scenario;
mod scores;
mod split;

pub use benchmark::TetrominoArgs;
pub use closed_form::LinearDiscriminant;
pub use defects::{Defect, Defects, Protocol};
pub use making::Tetromino;
pub use methods::{SobelAlongRows, explain};
pub use models::{Architecture, explained, network};
pub use scenario::{Background, Scenario, Size};
pub use scores::EmdAsPublished;

/// What an experiment file on this benchmark needs: `use xai_core::tetromino::prelude::*;`.
pub mod prelude {
    pub use super::{Architecture, Background, Protocol, Scenario, Size, Tetromino};
    pub use crate::prelude::*;

    /// The laboratory of this benchmark.
    pub type Lab = crate::sweep::context::Lab<Tetromino>;
}
