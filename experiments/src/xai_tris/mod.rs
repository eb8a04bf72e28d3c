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
