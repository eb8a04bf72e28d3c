//! What the two XAI-TRIS studies share: the published numbers, and comparisons with them.

mod accuracy;
mod compare;
mod protocols;
mod published;

pub use accuracy::{Accuracies, accuracies, compare_accuracies};
pub use compare::{Measured, compare, medians};
pub use protocols::{Protocols, conclusions};
pub use published::{PUBLISHED, PublishedCell, published};
