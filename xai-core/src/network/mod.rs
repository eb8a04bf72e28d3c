//! Networks: sequences of [`Layer`]s whose forward pass is explicit, so that attribution rules
//! and training can walk them in either direction. Weights come from files of other programs by
//! [`load_weights`].

mod activation;
mod file;
mod init;
pub mod json;
mod kernels;
mod lanes;
mod layers;
pub mod ops;
mod resnet;
mod vgg;
mod weights;

pub use activation::Activation;
pub use layers::{AvgPool2d, BatchNorm2d, Conv2d, Layer, Linear, Network, Residual};
pub use vgg::VggConfig;
pub use weights::load_weights;
