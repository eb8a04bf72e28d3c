//! Networks: sequences of [`Layer`]s with an explicit forward pass, so that attribution rules and
//! training can walk through them in both directions. [`load_weights`] reads weights from files of
//! other programs. [`load_for_fine_tuning`] reads weights for another task.

mod activation;
mod conv;
mod dropout;
mod file;
mod fused;
mod init;
pub mod json;
mod kernels;
mod layers;
mod linear;
mod masks;
pub mod ops;
mod region;
mod resnet;
mod shapes;
mod simd;
mod split_products;
mod storage;
mod vgg;
mod weights;
mod winograd;

pub use activation::Activation;
pub use conv::Conv2d;
pub(crate) use fused::FusedLayers;
pub use init::FirstWeights;
pub(crate) use layers::scale_outputs;
pub use layers::{AvgPool2d, BatchNorm2d, Layer, Linear, Network, Residual};
pub use masks::Masks;
pub(crate) use masks::mask as dropout_mask;
pub(crate) use region::Region;
pub(crate) use shapes::{shapes, traced_values};
pub use vgg::VggConfig;
pub use weights::{Loaded, load_for_fine_tuning, load_weights};
