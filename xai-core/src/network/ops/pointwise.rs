//! Operations on each number or channel separately, and sums over channels.

use crate::device::{Tensor, on_cpu, upload};
use crate::network::kernels;
use crate::network::storage::{change, from_numbers, numbers};

/// max(x, 0).
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    if on_cpu(&device) {
        let shape = x.dims();
        return from_numbers(kernels::relu(&numbers(x)), shape, &device);
    }
    burn::tensor::activation::relu(x)
}

/// `g` where `x` is above 0, and 0 elsewhere: the gradient of [`relu`], whose input is `x`. The
/// output has the same sign and can be given instead. ReLU'(0) = 0.
pub fn gate(g: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    let device = g.device();
    if on_cpu(&device) {
        let [g] = change([g], |[g]| kernels::gate(g, &numbers(x)));
        return g;
    }
    g.mask_fill(x.lower_equal_elem(0.0), 0.0)
}

/// Points `start + alpha * way` on straight lines, `[rows, c, h, w]`, from `start` and `way`
/// `[n, c, h, w]`. There is one row per alpha. Alpha number i belongs to image i modulo n.
pub fn along(start: Tensor<4>, way: Tensor<4>, alphas: &[f32]) -> Tensor<4> {
    let device = way.device();
    let [n, c, h, w] = way.dims();
    let rows = alphas.len();
    if on_cpu(&device) {
        let points = kernels::along(&numbers(start), &numbers(way), alphas, c * h * w);
        return from_numbers(points, [rows, c, h, w], &device);
    }
    // Images are not repeated in memory: one row per image serves all of its points.
    let one_each = |x: Tensor<4>| x.reshape([1, n, c * h * w]);
    let alphas = upload(alphas.to_vec(), [rows / n, n, 1], &device);
    let points = one_each(start) + one_each(way) * alphas;
    points.reshape([rows, c, h, w])
}

/// `sum` `[n, c, h, w]` plus the parts `[parts * n, c, h, w]`, each times its weight, added one by
/// one.
pub fn add_weighted(sum: Tensor<4>, parts: Tensor<4>, weights: &[f32]) -> Tensor<4> {
    if on_cpu(&sum.device()) {
        let [sum] = change([sum], |[sum]| {
            kernels::add_weighted(sum, &numbers(parts), weights)
        });
        return sum;
    }
    let parts = parts.chunk(weights.len(), 0).into_iter().zip(weights);
    parts.fold(sum, |sum, (part, &weight)| sum + part.mul_scalar(weight))
}

/// For each channel of `x` and `y` `[n, c, h, w]`: the sum of `x` and the sum of `x * y`, each `[c]`.
pub fn channel_sums(x: Tensor<4>, y: Tensor<4>) -> [Tensor<1>; 2] {
    let device = x.device();
    let [_, c, h, w] = x.dims();
    if on_cpu(&device) {
        let sums = kernels::channel_sums(&numbers(x), &numbers(y), None, c, h * w);
        return sums.map(|sums| from_numbers(sums, [c], &device));
    }
    [bias_grad(x.clone()), bias_grad(x * y)]
}

/// `a * x + shift`, with a factor and a shift per channel (`[c]`).
pub fn channel_affine(x: Tensor<4>, a: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let device = x.device();
    let [_, c, h, w] = x.dims();
    if on_cpu(&device) {
        let (a, shift) = (numbers(a), numbers(shift));
        let [x] = change([x], |[x]| {
            kernels::channel_affine(x, [&a, &shift], h * w);
        });
        return x;
    }
    x * a.reshape([1, c, 1, 1]) + shift.reshape([1, c, 1, 1])
}

/// `a * x + b * y + shift`, with its own numbers per channel (`[c]`).
pub fn channel_combine(x: Tensor<4>, y: Tensor<4>, [a, b, shift]: [Tensor<1>; 3]) -> Tensor<4> {
    let device = x.device();
    let [_, c, h, w] = x.dims();
    if on_cpu(&device) {
        let y = numbers(y);
        let [a, b, shift] = [a, b, shift].map(numbers);
        let [x] = change([x], |[x]| {
            kernels::channel_combine(x, &y, [&a, &b, &shift], None, h * w);
        });
        return x;
    }
    x * a.reshape([1, c, 1, 1]) + y * b.reshape([1, c, 1, 1]) + shift.reshape([1, c, 1, 1])
}

/// The gradient of a bias that was added to each channel of `[n, c, h, w]`: `[c]`.
pub fn bias_grad(g: Tensor<4>) -> Tensor<1> {
    let device = g.device();
    let [n, c, h, w] = g.dims();
    if on_cpu(&device) {
        let g = numbers(g);
        let sum = match h * w {
            1 => kernels::column_sums(&g, c),
            len => {
                let [sum, _] = kernels::channel_sums(&g, &g, None, c, len);
                sum
            }
        };
        return from_numbers(sum, [c], &device);
    }
    g.reshape([n, c, h * w])
        .sum_dim(2)
        .reshape([n, c])
        .sum_dim(0)
        .reshape([c])
}

/// The gradient for a softmax's input, from its output `p` and the gradient `g` for that output: p
/// (g - sum of p g).
pub fn softmax_input_grad(p: Tensor<4>, g: Tensor<4>) -> Tensor<4> {
    let classes = p.dims()[1];
    let shared = (p.clone() * g.clone()).sum_dim(1).repeat_dim(1, classes);
    p * (g - shared)
}
