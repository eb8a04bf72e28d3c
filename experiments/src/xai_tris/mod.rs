//! What the XAI-TRIS studies share: the published numbers, and comparisons with them.

mod accuracy;
mod compare;
mod keras;
mod protocols;
mod published;

pub use accuracy::{Accuracies, accuracies, compare_accuracies};
pub use compare::{Measured, compare, medians, names};
pub use keras::keras_network;
pub use protocols::{Protocols, conclusions};
pub use published::{BY_KERAS, PUBLISHED, PublishedCell, published};

use xai_core::tetromino::Defect;
use xai_core::tetromino::prelude::*;

/// A data set as the published plots show it. At 8 x 8, tetrominoes that move never reach the last row and column there (X8).
pub fn as_plotted(base: &Tetromino, scenario: Scenario, background: Background) -> Tetromino {
    let mut variant = base.with(scenario, background, Protocol::Published);
    if variant.size == Size::Eight {
        variant.defects = variant.defects.with(Defect::X8);
    }
    variant
}
