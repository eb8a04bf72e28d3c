//! Gradients of weights, and parameter updates with them.

use crate::device::{Tensor, on_cpu};
use crate::network::storage::{change, numbers};
use crate::network::{kernels, split_products};

/// The gradient of a weight or a bias.
pub enum Gradient {
    /// Its numbers, flattened.
    Numbers(Tensor<1>),
    /// The gradient of a fully connected layer's weight. It is the product of two small matrices
    /// and is computed where it is used. In VGG-16, it takes longer to write and read its 103
    /// million numbers than to compute them.
    Product {
        /// The layer's input `[n, in, 1, 1]`.
        x: Tensor<4>,
        /// The gradient with respect to its output `[n, out, 1, 1]`.
        g: Tensor<4>,
    },
}

impl Gradient {
    /// Its numbers, flattened.
    pub fn into_numbers(self) -> Tensor<1> {
        let (x, g) = match self {
            Self::Numbers(numbers) => return numbers,
            Self::Product { x, g } => (x, g),
        };
        let ([n, inputs, ..], [_, out, ..]) = (x.dims(), g.dims());
        if on_cpu(&x.device()) {
            let zeros = Tensor::zeros([out * inputs], &x.device());
            let product = Self::Product { x, g };
            let [numbers] = update([zeros], product, |[to], g| to.copy_from_slice(g));
            return numbers;
        }
        let (x, g) = (x.reshape([n, inputs]), g.reshape([n, out]).transpose());
        split_products::product(g, x, Tensor::matmul).flatten(0, 1)
    }
}

/// On a CPU, updates `tensors` (a parameter and its moments, of equal lengths) in place by `rule`,
/// which receives corresponding pieces of each and of `gradient`.
pub fn update<const K: usize>(
    tensors: [Tensor<1>; K],
    gradient: Gradient,
    rule: impl Fn([&mut [f32]; K], &[f32]) + Sync,
) -> [Tensor<1>; K] {
    match gradient {
        Gradient::Numbers(gradient) => {
            let gradient = numbers(gradient);
            change(tensors, |tensors| kernels::update(tensors, &gradient, rule))
        }
        Gradient::Product { x, g } => {
            let ([n, inputs, ..], [_, out, ..]) = (x.dims(), g.dims());
            let g = numbers(g.reshape([n, out]).transpose());
            let (x, sizes) = (numbers(x), [out, n, inputs]);
            change(tensors, |tensors| {
                kernels::update_by_product(tensors, &g, &x, sizes, rule);
            })
        }
    }
}
