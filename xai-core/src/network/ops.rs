//! The tensor operations of a network and what flows back through them.
//!
//! Each is a plain function, so that attribution rules and training are written without an
//! autodiff tape. On a CPU the costly ones run on the kernels of [`kernels`](super::kernels);
//! everything else, and every other device, uses Burn's own operation.

use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ModuleOps};
use burn::tensor::{Int, TensorPrimitive};

use crate::device::{Backend, Tensor};

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
    fn conv_options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, [1, 1], 1)
    }
}

/// An integer tensor, e.g. the positions of maxima.
pub type IntTensor = burn::tensor::Tensor<Backend, 4, Int>;

fn primitive<const D: usize>(tensor: Tensor<D>) -> burn::DispatchTensor {
    tensor.into_primitive().tensor()
}

fn tensor<const D: usize>(primitive: burn::DispatchTensor) -> Tensor<D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// Cross-correlation of `x` `[n, in, h, w]` with `weight` `[out, in, kh, kw]`, plus `bias` `[out]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: &Window,
) -> Tensor<4> {
    module::conv2d(x, weight, bias, window.conv_options())
}

/// The gradient of [`conv2d`] for its input, of shape `input`, from the gradient `g` of its output.
pub fn conv2d_input_grad(
    input: [usize; 4],
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
) -> Tensor<4> {
    // Burn reads nothing but the shape of `x`.
    let x = Tensor::<4>::zeros(input, &g.device());
    tensor(<Backend as ModuleOps<Backend>>::conv2d_x_backward(
        primitive(x),
        primitive(weight),
        primitive(g),
        window.conv_options(),
    ))
}

/// The gradient of [`conv2d`] for its weight, of shape `[out, in, kh, kw]`.
pub fn conv2d_weight_grad(
    x: Tensor<4>,
    weight: Tensor<4>,
    g: Tensor<4>,
    window: &Window,
) -> Tensor<4> {
    tensor(<Backend as ModuleOps<Backend>>::conv2d_weight_backward(
        primitive(x),
        primitive(weight),
        primitive(g),
        window.conv_options(),
    ))
}

/// `x` `[n, in, 1, 1]` times `weight` `[out, in]` transposed, plus `bias` `[out]`: `[n, out, 1, 1]`.
pub fn linear(x: Tensor<4>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let [n, ..] = x.dims();
    let [out, inputs] = weight.dims();
    let y = x.reshape([n, inputs]).matmul(weight.transpose());
    let y = match bias {
        Some(bias) => y + bias.reshape([1, out]),
        None => y,
    };
    y.reshape([n, out, 1, 1])
}

/// The gradient of [`linear`] for its input: `[n, in, 1, 1]`.
pub fn linear_input_grad(weight: Tensor<2>, g: Tensor<4>) -> Tensor<4> {
    let [n, ..] = g.dims();
    let [out, inputs] = weight.dims();
    g.reshape([n, out])
        .matmul(weight)
        .reshape([n, inputs, 1, 1])
}

/// The gradient of [`linear`] for its weight: `[out, in]`.
pub fn linear_weight_grad(x: Tensor<4>, g: Tensor<4>) -> Tensor<2> {
    let ([n, inputs, ..], [_, out, ..]) = (x.dims(), g.dims());
    let g = g.reshape([n, out]).transpose();
    g.matmul(x.reshape([n, inputs]))
}

/// The gradient of a bias that was added to each channel of `[n, c, h, w]`: `[c]`.
pub fn bias_grad(g: Tensor<4>) -> Tensor<1> {
    let [n, c, h, w] = g.dims();
    g.reshape([n, c, h * w])
        .sum_dim(2)
        .reshape([n, c])
        .sum_dim(0)
        .reshape([c])
}

/// The maximum of each window, and where it stands: the first in row-major order among equals,
/// as an index into the input's `h * w` plane.
pub fn max_pool2d(x: Tensor<4>, window: &Window) -> (Tensor<4>, IntTensor) {
    module::max_pool2d_with_indices(
        x,
        window.kernel,
        window.stride,
        window.padding,
        [1, 1],
        false,
    )
}

/// Sends each value of `g` back to the place `index` that [`max_pool2d`] found in an input of
/// shape `input`; values that meet there are added. This is the gradient of the pooling.
pub fn max_unpool2d(
    input: [usize; 4],
    g: Tensor<4>,
    index: IntTensor,
    window: &Window,
) -> Tensor<4> {
    let x = Tensor::<4>::zeros(input, &g.device());
    let back = <Backend as ModuleOps<Backend>>::max_pool2d_with_indices_backward(
        primitive(x),
        window.kernel,
        window.stride,
        window.padding,
        [1, 1],
        false,
        primitive(g),
        index.into_primitive(),
    );
    tensor(back.x_grad)
}

/// Averages over `output` windows that tile the plane as torch's `AdaptiveAvgPool2d` does;
/// an output larger than the input repeats values.
pub fn adaptive_avg_pool2d(x: Tensor<4>, output: [usize; 2]) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    if [h, w] == output {
        return x;
    }
    module::adaptive_avg_pool2d(x, output)
}

/// The gradient of [`adaptive_avg_pool2d`] for its input of shape `input`.
pub fn adaptive_avg_pool2d_input_grad(input: [usize; 4], g: Tensor<4>) -> Tensor<4> {
    if g.dims() == input {
        return g;
    }
    let x = Tensor::<4>::zeros(input, &g.device());
    tensor(
        <Backend as ModuleOps<Backend>>::adaptive_avg_pool2d_backward(primitive(x), primitive(g)),
    )
}

/// max(x, 0).
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    burn::tensor::activation::relu(x)
}

/// `g` where `x` is above 0, else 0: the gradient of [`relu`], whose input (or output, the sign
/// is the same) is `x`. ReLU'(0) = 0.
pub fn gate(g: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    g.mask_fill(x.lower_equal_elem(0.0), 0.0)
}
