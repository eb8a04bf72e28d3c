//! Convolutions: plain ones with this crate's kernels, grouped and dilated ones with Burn's
//! operations.

use burn::tensor::ops::ConvOptions;

use super::ops::{self, Places, Window};
use crate::device::Tensor;

/// A 2-D convolution (in fact a cross-correlation, as is usual in this field).
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[out, in / groups, kernel height, kernel width]`.
    pub weight: Tensor<4>,
    /// `[out]`.
    pub bias: Option<Tensor<1>>,
    /// Rows, columns.
    pub stride: [usize; 2],
    /// Rows, columns.
    pub padding: [usize; 2],
    /// The distance between the pixels of a kernel, rows and columns; 1 for adjacent pixels.
    pub dilation: [usize; 2],
    /// The number of groups of channels. Each group of outputs uses its own group of inputs. In a
    /// depthwise convolution, there are as many groups as inputs.
    pub groups: usize,
}

impl Conv2d {
    /// A convolution in which every output uses every input, and kernels of adjacent pixels.
    pub fn new(
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        Self {
            weight,
            bias,
            stride,
            padding,
            dilation: [1, 1],
            groups: 1,
        }
    }

    /// The number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1] * self.groups
    }

    /// The windows of the kernel: rows and columns from its first to its last pixel.
    pub fn window(&self) -> Window {
        let [_, _, kh, kw] = self.weight.dims();
        let span = |axis: usize, kernel: usize| (kernel - 1) * self.dilation[axis] + 1;
        Window {
            kernel: [span(0, kh), span(1, kw)],
            stride: self.stride,
            padding: self.padding,
        }
    }

    /// Whether this crate's kernels support it.
    pub(super) fn is_plain(&self) -> bool {
        self.groups == 1 && self.dilation == [1, 1]
    }

    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }

    /// The output `[n, out, ..]` for an input `[n, in, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        if self.is_plain() {
            ops::conv2d(x, weight, bias, &self.window())
        } else {
            ops::burn_conv2d(x, weight, bias, &self.options())
        }
    }

    /// The ReLU of [`forward`](Self::forward).
    pub(super) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        if self.is_plain() {
            ops::conv2d_relu(x, self.weight.clone(), self.bias.clone(), &self.window())
        } else {
            ops::relu(self.forward(x))
        }
    }

    /// As [`forward`](Self::forward), if ties of a pooling do not matter; see
    /// [`ops::conv2d_loose`].
    pub fn forward_loose(&self, x: Tensor<4>) -> Tensor<4> {
        if self.is_plain() {
            ops::conv2d_loose(x, self.weight.clone(), self.bias.clone(), &self.window())
        } else {
            self.forward(x)
        }
    }

    /// The ReLU of [`forward_loose`](Self::forward_loose).
    pub fn forward_relu_loose(&self, x: Tensor<4>) -> Tensor<4> {
        if self.is_plain() {
            ops::conv2d_relu_loose(x, self.weight.clone(), self.bias.clone(), &self.window())
        } else {
            ops::relu(self.forward(x))
        }
    }

    /// The maxima of 2 x 2 pixels of [`forward_relu_loose`](Self::forward_relu_loose), with their places, in one pass. `None`
    /// unless Winograd's convolution is used.
    pub(crate) fn forward_relu_maxima_loose(&self, x: &Tensor<4>) -> Option<(Tensor<4>, Places)> {
        if !self.is_plain() {
            return None;
        }
        ops::conv2d_relu_maxima_loose(x, self.weight.clone(), self.bias.clone(), &self.window())
    }

    /// [`input_grad`](Self::input_grad) if the input `x` is the output of a ReLU, after the gate of this ReLU.
    pub(crate) fn gated_input_grad(&self, x: Tensor<4>, g: Tensor<4>) -> Tensor<4> {
        if self.is_plain() {
            ops::conv2d_gated_input_grad(x, self.weight.clone(), g, &self.window())
        } else {
            ops::gate(self.input_grad(x.dims(), g), x)
        }
    }

    /// The gradient with respect to an input of this shape, from the gradient `g` with respect to
    /// the output.
    pub fn input_grad(&self, input: [usize; 4], g: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.clone();
        if self.is_plain() {
            ops::conv2d_input_grad(input, weight, g, &self.window())
        } else {
            ops::burn_conv2d_input_grad(input, weight, g, &self.options())
        }
    }

    /// The gradient with respect to the weight, from the gradient `g` with respect to the output
    /// for `x`.
    pub fn weight_grad(&self, x: Tensor<4>, g: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.clone();
        if self.is_plain() {
            ops::conv2d_weight_grad(x, weight, g, &self.window())
        } else {
            ops::burn_conv2d_weight_grad(x, weight, g, &self.options())
        }
    }
}
