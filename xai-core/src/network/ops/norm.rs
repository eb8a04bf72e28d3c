//! A batch normalisation together with the ReLU and the pooling after it, with this crate's kernels.

use super::Places;
use crate::device::Tensor;
use crate::network::kernels;
use crate::network::storage::{change, from_numbers, numbers};

/// The ReLU of [`channel_affine`](super::channel_affine).
pub(crate) fn affine_relu(x: Tensor<4>, a: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let (device, shape) = (x.device(), x.dims());
    let [_, _, h, w] = shape;
    let (x, a, shift) = (numbers(x), numbers(a), numbers(shift));
    let y = kernels::affine_relu(&x, [&a, &shift], h * w);
    from_numbers(y, shape, &device)
}

/// The maxima of 2 x 2 pixels of [`affine_relu`], with their places: `[n, c, h / 2, w / 2]`.
pub(crate) fn affine_relu_maxima(
    x: Tensor<4>,
    a: Tensor<1>,
    shift: Tensor<1>,
) -> (Tensor<4>, Places) {
    let (device, [n, c, h, w]) = (x.device(), x.dims());
    let (x, a, shift) = (numbers(x), numbers(a), numbers(shift));
    let plane = [h, w];
    let (y, places) = kernels::affine_relu_maxima(&x, [&a, &shift], plane);
    let y = from_numbers(y, [n, c, h / 2, w / 2], &device);
    (y, Places { places, plane })
}

/// [`channel_sums`](super::channel_sums) of a gradient and of `x`, the input of [`affine_relu`]. The gradient is `g` after the gate of
/// the ReLU. With `places`, `g` is the gradient with respect to the maxima, which is sent back to them first.
pub(crate) fn gated_channel_sums(
    g: Tensor<4>,
    x: Tensor<4>,
    gate: [Tensor<1>; 2],
    places: Option<&Places>,
) -> [Tensor<1>; 2] {
    let (device, [_, c, h, w]) = (x.device(), x.dims());
    let (g, x, [a, shift]) = (numbers(g), numbers(x), gate.map(numbers));
    let gate = [&a[..], &shift];
    let sums = match places {
        Some(Places { places, plane }) => {
            kernels::unpooled_channel_sums(&g, places, &x, gate, *plane)
        }
        None => kernels::channel_sums(&g, &x, Some(gate), c, h * w),
    };
    sums.map(|sums| from_numbers(sums, [c], &device))
}

/// [`channel_combine`](super::channel_combine) of the same gradient and of `x`. Also returns the
/// [`bias_grad`](super::bias_grad) of the result.
pub(crate) fn gated_channel_combine(
    g: Tensor<4>,
    x: Tensor<4>,
    factors: [Tensor<1>; 3],
    gate: [Tensor<1>; 2],
    places: Option<&Places>,
) -> (Tensor<4>, Tensor<1>) {
    let (device, shape) = (x.device(), x.dims());
    let [_, c, h, w] = shape;
    let (x, [a, b, shift], gate) = (numbers(x), factors.map(numbers), gate.map(numbers));
    let (factors, gate) = ([&a[..], &b, &shift], [&gate[0][..], &gate[1]]);
    let (y, sums) = match places {
        Some(Places { places, plane }) => {
            let g = numbers(g);
            let (y, sums) =
                kernels::unpooled_channel_combine(&g, places, &x, factors, gate, *plane);
            (from_numbers(y, shape, &device), sums)
        }
        None => {
            let mut sums = Vec::new();
            let [g] = change([g], |[g]| {
                sums = kernels::channel_combine(g, &x, factors, Some(gate), h * w);
            });
            (g, sums)
        }
    };
    (y, from_numbers(sums, [c], &device))
}
