//! The CPU kernels of [`ops`](super::ops): convolution with stride 1 and its two gradients, maximum
//! and adaptive average pooling, the gate of a ReLU, sums and scalings per channel, and updates of parameters.
//!
//! **Layout.** A group of images is copied into zero-padded planes `[channel][image][row][column]`.
//! As one long line, the input of output position `p` at kernel offset `(ky, kx)` is position
//! `p + ky * pitch + kx`, whatever the image's width. Every vector is therefore full, and only
//! positions at which a kernel does not fit into its row or plane are computed without use. Rows and planes that follow each
//! other share their zeros. Positions are vectorised. Several
//! vectors of them and several output channels form a tile of sums, which registers hold with AVX-512,
//! and otherwise in parts; see `add_products`.
//!
//! **Determinism.** Each output is one chain of fused multiply-adds in the order channel, row,
//! column. The gradient of a weight is summed in 16 lanes over groups of images whose size depends
//! only on the shapes. Results therefore do not depend on the number of threads or on the vector
//! width of the processor.
//!
//! Forward, in one run on two cores with AVX-512, for the layers of a network an eighth as wide as
//! VGG-16 (112 x 112, 32 images): 10 times as fast as Burn 0.21's Flex in the first block, 4 times
//! in the third, twice in the last. `ops` uses Burn for other shapes and devices.

mod average;
mod conv_sizes;
mod direct;
mod halves;
mod norm;
mod norm_columns;
mod norm_pool;
mod pointwise;
mod pooling;
mod update;
mod weight_grad;

pub(super) use average::{adaptive_average, adaptive_average_grad};
pub(super) use conv_sizes::ConvSizes;
pub(super) use direct::{After, conv, conv_input_grad, pack};
pub(super) use halves::{unpool, write_rows};
pub(super) use norm::{affine_relu, channel_combine, channel_sums};
pub(super) use norm_columns::column_sums;
pub(super) use norm_pool::{affine_relu_maxima, unpooled_channel_combine, unpooled_channel_sums};
pub(super) use pointwise::{add_weighted, along, channel_affine, gate, relu};
pub(super) use pooling::{max_pool, max_unpool};
pub(super) use update::{update, update_by_product};
pub(super) use weight_grad::conv_weight_grad;

/// Planes that a thread processes at least.
const PLANES: usize = 16;

/// To compare numbers bit for bit in tests.
#[cfg(test)]
fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Numbers from -1 to 1 for tests. They are the same at each call.
#[cfg(test)]
pub(super) fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |i: usize| ((i + seed) * 2654435761 % 1009) as f32 / 504.5 - 1.0;
    (0..n).map(number).collect()
}
