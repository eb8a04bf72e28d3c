//! What the two XAI-TRIS studies share: the published numbers, and comparisons with them.

mod compare;
mod protocols;
mod published;

pub use compare::{Measured, compare, medians};
pub use protocols::{Protocols, conclusions};
pub use published::{PUBLISHED, Published};
