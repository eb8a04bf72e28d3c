//! Fully connected layers and their gradients.

use crate::device::{Tensor, on_cpu};
use crate::network::storage::{from_numbers, numbers};
use crate::network::{exact, kernels, linear as linear_kernels};

/// The product of `a` `[n, k]` and `b` `[k, m]`.
///
/// On a CPU by our kernel, so that it has the same bits on every processor.
fn matmul(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let device = a.device();
    let ([n, k], [_, m]) = (a.dims(), b.dims());
    if on_cpu(&device) {
        let product = kernels::matmul(&numbers(a), &numbers(b), [n, k, m]);
        return from_numbers(product, [n, m], &device);
    }
    exact::product(a, b, Tensor::matmul)
}

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
    let y = exact::product(x.reshape([n, inputs]), weight.transpose(), Tensor::matmul);
    let y = match bias {
        Some(bias) => y + bias.reshape([1, out]),
        None => y,
    };
    y.reshape([n, out, 1, 1])
}

/// The gradient of [`linear`] for its input: `[n, in, 1, 1]`.
pub fn linear_input_grad(weight: Tensor<2>, g: Tensor<4>) -> Tensor<4> {
    let device = g.device();
    let [n, ..] = g.dims();
    let [out, inputs] = weight.dims();
    if on_cpu(&device) {
        let x = linear_kernels::input_grad(&numbers(g), &numbers(weight), [n, inputs, out]);
        return from_numbers(x, [n, inputs, 1, 1], &device);
    }
    let x = exact::product(g.reshape([n, out]), weight, Tensor::matmul);
    x.reshape([n, inputs, 1, 1])
}

/// The gradient of [`linear`] for its weight: `[out, in]`.
pub fn linear_weight_grad(x: Tensor<4>, g: Tensor<4>) -> Tensor<2> {
    let ([n, inputs, ..], [_, out, ..]) = (x.dims(), g.dims());
    let g = g.reshape([n, out]).transpose();
    matmul(g, x.reshape([n, inputs]))
}
