//! XAI-TRIS: tetrominoes in noise (Clark, Wilming and Haufe 2024, "XAI-TRIS: non-linear image
//! benchmarks to quantify false positive post-hoc attribution of feature importance").
//!
//! The class of an image depends on which tetromino it shows, on where, or on its sign. There are
//! four [`Scenario`]s, three kinds of [`Background`] and two [`Size`]s. In smooth noise, the pixels
//! beside a tetromino are suppressors: they carry no information about the class by themselves, but
//! a model can use them to subtract the noise.
//!
//! With its [`Defects`], the benchmark reproduces the public code: its images bit for bit, its
//! models, its settings of methods and its scores.

mod backgrounds;
mod benchmark;
mod closed_form;
mod defects;
mod making;
mod methods;
mod mixture;
mod models;
mod photographs;
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
pub use photographs::Photographs;
pub use scenario::{Background, Scenario, Size};
pub use scores::{EmdAsPublished, WithoutMapsOfZeros};

/// What an experiment file on this benchmark needs: `use xai_core::tetromino::prelude::*;`.
pub mod prelude {
    pub use super::{Architecture, Background, Protocol, Scenario, Size, Tetromino};
    pub use crate::prelude::*;

    /// The laboratory of this benchmark.
    pub type Lab = crate::sweep::context::Lab<Tetromino>;
}
