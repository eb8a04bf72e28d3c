//! The tensor operations of a network and their gradients.
//!
//! Each is a plain function, so that attribution rules and training work without an autodiff tape.
//! On a CPU, the expensive ones use `kernels`. Everything else, and every other
//! device, uses Burn's own operation.

mod convolution;
mod linear;
mod norm;
mod pointwise;
mod pooling;
mod prepared;
mod update;

use burn::tensor::TensorPrimitive;
use burn::tensor::backend::BackendTypes;
use burn::tensor::ops::ConvOptions;

use crate::device::{Backend, Tensor};

pub use super::storage::IntTensor;
pub use convolution::{
    conv2d, conv2d_input_grad, conv2d_loose, conv2d_relu_loose, conv2d_weight_grad,
};
pub(crate) use convolution::{
    conv2d_gated_input_grad, conv2d_relu, conv2d_relu_maxima_loose, unpool,
};
pub use linear::{linear, linear_input_grad};
pub(crate) use norm::{affine_relu, affine_relu_maxima, gated_channel_combine, gated_channel_sums};
pub use pointwise::{
    add_weighted, along, bias_grad, channel_affine, channel_combine, channel_sums, gate, relu,
    softmax_input_grad,
};
pub(crate) use pooling::Places;
pub use pooling::{
    adaptive_avg_pool2d, adaptive_avg_pool2d_input_grad, avg_pool2d, avg_pool2d_input_grad,
    max_pool2d, max_unpool2d,
};
pub use update::{Gradient, update};

pub(super) use convolution::{
    burn_conv2d, burn_conv2d_input_grad, burn_conv2d_weight_grad, kernel_shape, transformed,
};

/// Stride and zero padding of a convolution or a pooling, rows then columns, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros (for a maximum: minus infinity) added on both sides.
    pub padding: [usize; 2],
}

impl Window {
    /// Adjacent square windows, without padding.
    pub fn square(side: usize) -> Self {
        Self {
            kernel: [side, side],
            stride: [side, side],
            padding: [0, 0],
        }
    }

    /// Rows and columns of the output for an input of `h` by `w`.
    pub fn output(&self, [h, w]: [usize; 2]) -> [usize; 2] {
        let size = |input: usize, axis: usize| {
            (input + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis] + 1
        };
        [size(h, 0), size(w, 1)]
    }

    fn conv_options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, [1, 1], 1)
    }
}

type Primitive = <Backend as BackendTypes>::FloatTensorPrimitive;

fn primitive<const D: usize>(tensor: Tensor<D>) -> Primitive {
    tensor.into_primitive().tensor()
}

fn tensor<const D: usize>(primitive: Primitive) -> Tensor<D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
