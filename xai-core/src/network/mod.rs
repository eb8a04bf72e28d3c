//! Networks: sequences of [`Layer`]s whose forward pass is explicit, so that attribution rules
//! and training can walk them in either direction.

pub mod json;
mod layers;
pub mod ops;

pub use layers::{BatchNorm2d, Conv2d, Layer, Linear, Network};
