//! Networks: sequences of [`Layer`]s whose forward pass is explicit, so that attribution rules
//! and training can walk them in either direction.

mod dots;
mod file;
pub mod json;
mod kernels;
mod lanes;
mod layers;
mod linear;
pub mod ops;
mod storage;
mod vgg;
mod winograd;

pub use layers::{BatchNorm2d, Conv2d, Layer, Linear, Network};
pub use vgg::VggConfig;
