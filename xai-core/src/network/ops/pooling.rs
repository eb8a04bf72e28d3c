//! Pooling and its gradients.

use burn::tensor::ops::ModuleOps;
use burn::tensor::{DType, TensorData, module};

use super::{IntTensor, Window, primitive, tensor};
use crate::device::{Backend, Tensor, on_cpu};
use crate::network::kernels;
use crate::network::storage::{from_numbers, numbers, places};

/// The maximum of each window and its position, as an index into the input's `h * w` plane. Among
/// equals, the first in row-major order wins.
pub fn max_pool2d(x: Tensor<4>, window: &Window) -> (Tensor<4>, IntTensor) {
    let device = x.device();
    if on_cpu(&device) {
        let [n, c, h, w] = x.dims();
        let [out_h, out_w] = window.output([h, w]);
        let (y, index) = kernels::max_pool(&numbers(x), [h, w], [out_h, out_w], window);
        let index = TensorData::new(index, [n, c, out_h, out_w]);
        return (
            from_numbers(y, [n, c, out_h, out_w], &device),
            IntTensor::from_data(index, (&device, DType::I32)),
        );
    }
    module::max_pool2d_with_indices(
        x,
        window.kernel,
        window.stride,
        window.padding,
        [1, 1],
        false,
    )
}

/// Where maxima were in their windows of 2 x 2 pixels: 0 to 3, row by row. After a convolution, it is 4 if the ReLU set the
/// maximum to 0. After a normalisation, the gate of the ReLU is not in the places.
pub(crate) struct Places {
    pub(super) places: Vec<u8>,
    /// Rows and columns before the pooling.
    pub(super) plane: [usize; 2],
}

/// Sends each value of `g` back to the position `index` that [`max_pool2d`] found in an input of
/// shape `input`. Values at the same position are added. This is the gradient of the pooling.
pub fn max_unpool2d(
    input: [usize; 4],
    g: Tensor<4>,
    index: IntTensor,
    window: &Window,
) -> Tensor<4> {
    let device = g.device();
    if on_cpu(&device) {
        let [_, _, h, w] = input;
        let [_, _, out_h, out_w] = g.dims();
        let (g, index) = (numbers(g), places(index));
        let x = kernels::max_unpool(&g, &index, [h, w], [out_h, out_w], window);
        return from_numbers(x, input, &device);
    }
    let x = Tensor::<4>::empty(input, &device);
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

/// The average of each window. Zeros of the padding count if `count_include_pad` is set.
pub fn avg_pool2d(x: Tensor<4>, window: &Window, count_include_pad: bool) -> Tensor<4> {
    let Window {
        kernel,
        stride,
        padding,
    } = *window;
    module::avg_pool2d(x, kernel, stride, padding, count_include_pad, false)
}

/// The gradient of [`avg_pool2d`] with respect to its input of shape `input`.
pub fn avg_pool2d_input_grad(
    input: [usize; 4],
    g: Tensor<4>,
    window: &Window,
    count_include_pad: bool,
) -> Tensor<4> {
    // Burn reads nothing but the shape of `x`.
    let x = Tensor::<4>::empty(input, &g.device());
    tensor(<Backend as ModuleOps<Backend>>::avg_pool2d_backward(
        primitive(x),
        primitive(g),
        window.kernel,
        window.stride,
        window.padding,
        count_include_pad,
        false,
    ))
}

/// Averages over `output` windows that tile the plane as in torch's `AdaptiveAvgPool2d`. An output
/// larger than the input repeats values.
pub fn adaptive_avg_pool2d(x: Tensor<4>, output: [usize; 2]) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    if [h, w] == output {
        return x;
    }
    let device = x.device();
    if on_cpu(&device) {
        let y = kernels::adaptive_average(&numbers(x), [h, w], output);
        return from_numbers(y, [n, c, output[0], output[1]], &device);
    }
    module::adaptive_avg_pool2d(x, output)
}

/// The gradient of [`adaptive_avg_pool2d`] with respect to its input of shape `input`.
pub fn adaptive_avg_pool2d_input_grad(input: [usize; 4], g: Tensor<4>) -> Tensor<4> {
    if g.dims() == input {
        return g;
    }
    let device = g.device();
    if on_cpu(&device) {
        let ([_, _, h, w], [_, _, out_h, out_w]) = (input, g.dims());
        let x = kernels::adaptive_average_grad(&numbers(g), [h, w], [out_h, out_w]);
        return from_numbers(x, input, &device);
    }
    let x = Tensor::<4>::empty(input, &g.device());
    tensor(
        <Backend as ModuleOps<Backend>>::adaptive_avg_pool2d_backward(primitive(x), primitive(g)),
    )
}
