//! Fully connected layers. (The gradients of their weights are [`Gradient`](super::Gradient)s.)

use crate::device::{Tensor, on_cpu};
use crate::network::storage::{from_numbers, numbers};
use crate::network::{linear as linear_kernels, split_products};

/// `x` `[n, in, 1, 1]` times `weight` `[out, in]` transposed, plus `bias` `[out]`: `[n, out, 1, 1]`.
pub fn linear(x: Tensor<4>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let device = x.device();
    let [n, ..] = x.dims();
    let [out, inputs] = weight.dims();
    if on_cpu(&device) {
        let bias = bias.map(numbers);
        let (x, weight) = (numbers(x), numbers(weight));
        let y = linear_kernels::forward(&x, &weight, bias.as_deref(), [n, inputs, out]);
        return from_numbers(y, [n, out, 1, 1], &device);
    }
    let y = split_products::product(x.reshape([n, inputs]), weight.transpose(), Tensor::matmul);
    let y = match bias {
        Some(bias) => y + bias.reshape([1, out]),
        None => y,
    };
    y.reshape([n, out, 1, 1])
}

/// The gradient of [`linear`] with respect to its input: `[n, in, 1, 1]`.
pub fn linear_input_grad(weight: Tensor<2>, g: Tensor<4>) -> Tensor<4> {
    let device = g.device();
    let [n, ..] = g.dims();
    let [out, inputs] = weight.dims();
    if on_cpu(&device) {
        let x = linear_kernels::input_grad(&numbers(g), &numbers(weight), [n, inputs, out]);
        return from_numbers(x, [n, inputs, 1, 1], &device);
    }
    let x = split_products::product(g.reshape([n, out]), weight, Tensor::matmul);
    x.reshape([n, inputs, 1, 1])
}
