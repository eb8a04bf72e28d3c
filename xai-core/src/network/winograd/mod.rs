//! Convolution with 3 x 3 kernels and stride 1 by Winograd's minimal filtering F(4 x 4, 3 x 3)
//! (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks").
//!
//! **Method.** The output is divided into tiles of 4 x 4. Each depends on 6 x 6 inputs. In one
//! dimension, the tile y of kernel g and input d is `y = A^T [(G g) * (B^T d)]`: polynomials are
//! multiplied by their values at five points and at infinity. A tile therefore takes 36 products
//! per pair of channels instead of 144. Over all channels and tiles, these are 36 matrix products.
//!
//! **Points.** 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2. Their rounding errors are
//! half those of the usual 0, 1, -1, 2, -2, and less than twice those of a plain sum in 32 bits
//! (root mean square over 256 channels: 1.1e-6, 2.3e-6 and 0.6e-6 of the output's). Because a =
//! 1/b, rotating a kernel by 180 degrees only exchanges points. One set of transformed weights
//! therefore serves both the convolution and its input gradient.
//!
//! **Order.** A thread takes some tiles and transforms their inputs. For 64 output channels at a
//! time, it multiplies and transforms back, so that its data stay in its caches. Tiles from any row
//! or image stand side by side in vectors, so that small planes also fill vectors. Every output is
//! one chain of fused multiply-adds over the input channels between fixed transforms. Threads,
//! other images of the batch and the processor therefore change no bit.

#![expect(
    clippy::needless_range_loop,
    reason = "iterators with closures are not always inlined, and then vectors go through memory"
)]

mod conv;
mod input;
mod output;
mod points;
mod products;
mod scratch;
mod sizes;
#[cfg(test)]
mod tests;
mod tiles;
mod unpool;
mod weight_grad;
mod weights;

pub(super) use conv::{conv, conv_relu, input_grad, pays};
pub(super) use output::NOWHERE;
pub(super) use sizes::TILE;
pub(super) use unpool::unpool;
pub(super) use weight_grad::{gradient_pays, weight_grad};
pub(super) use weights::Weights;
