//! Convolution with 3 x 3 kernels and stride 1 by Winograd's minimal filtering F(4 x 4, 3 x 3)
//! (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks").
//!
//! **Method.** The output is cut into tiles of 4 x 4, each of which comes from 6 x 6 inputs. In one
//! dimension the tile y of kernel g and input d is `y = A^T [(G g) * (B^T d)]`: polynomials are
//! multiplied by their values at five points and at infinity. So a tile takes 36 products of each
//! pair of channels instead of 144, and over all channels and tiles they are 36 products of matrices.
//!
//! **Points.** 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2. Their rounding errors are half
//! those of the usual 0, 1, -1, 2, -2, and less than twice those of a plain sum in 32 bits (root mean
//! square over 256 channels 1.1e-6, 2.3e-6 and 0.6e-6 of the output's). And as a = 1/b, turning
//! a kernel by 180 degrees only exchanges points: one set of transformed weights serves both the
//! convolution and its input gradient.
//!
//! **Order.** A thread takes some tiles, transforms their inputs, and for 64 output channels
//! at a time multiplies and transforms back; what it works on stays in its caches. Tiles stand side by side
//! in vectors, whatever row or image they are of, so that small planes fill vectors as well. Every output is one
//! chain of fused multiply-adds over the input channels between fixed transforms, so that neither
//! threads, nor other images of the batch, nor the processor change a bit.

#![expect(
    clippy::needless_range_loop,
    reason = "iterators with closures are not always inlined, and then vectors go through memory"
)]

mod input;
mod output;
mod points;
mod products;
#[cfg(test)]
mod tests;
mod tiles;
mod weight_grad;
mod weights;

use std::cell::RefCell;

use rayon::prelude::*;

use super::kernels::Shape;
use super::lanes::LANES;
use super::region::Region;
use input::transform_inputs;
pub(super) use output::NOWHERE;
use output::{Finish, Output, transform_products};
use products::multiply;
use tiles::{Layout, blocks};

pub(super) use weight_grad::{gradient_pays, weight_grad};
pub(super) use weights::Weights;

/// Rows and columns of a tile of the output.
pub(super) const TILE: usize = 4;
/// Rows and columns of its input: the points at which polynomials are multiplied.
const POINTS: usize = 6;
/// Products a tile and pair of channels.
const PRODUCTS: usize = POINTS * POINTS;
/// Output channels held in registers.
const OUT: usize = 8;
/// Output channels multiplied before they are transformed back.
const OUTPUTS: usize = 64;
/// A thread takes as many tiles as give about so many numbers of transformed input, and ...
const INPUT_FLOATS: usize = 3 << 19;
/// ... so many tiles at most.
const TILES: usize = 7 * LANES;
/// How far ahead weights are asked for, in numbers: each block of tiles reads all of them.
const AHEAD: usize = 1024;

const A: f64 = 2.0 / 3.0;
const B: f64 = 1.5;
/// Of the weights' transform.
const H: f64 = 1.0 / (2.0 * (B * B - A * A));
/// The point 1 / p of each point p, where the values of a turned kernel stand.
const TURNED: [usize; POINTS] = [5, 3, 4, 1, 2, 0];

/// Whether a convolution is faster this way: it needs channels enough to pay for the transforms, and
/// more than one tile in a row.
pub(super) fn pays(shape: &Shape) -> bool {
    shape.kernel == [3, 3]
        && shape.input.min(shape.output) >= 16
        && shape.out_plane().iter().all(|&size| size > TILE)
}

/// What a thread works on, kept from one call to the next.
#[derive(Default)]
struct Scratch {
    /// Transformed inputs `[point][in][tile]`.
    inputs: Vec<f32>,
    /// Their products with the weights, `[point][out][tile]`.
    products: Vec<f32>,
    /// The six rows of a run of tiles after one dimension of the transform.
    lines: Vec<f32>,
}

impl Scratch {
    /// Makes it large enough.
    fn fit(&mut self, layout: Layout) {
        let grow = |numbers: &mut Vec<f32>, len: usize| numbers.resize(numbers.len().max(len), 0.0);
        grow(&mut self.inputs, PRODUCTS * layout.input_step + LANES);
        grow(&mut self.products, PRODUCTS * layout.product_step + LANES);
        grow(&mut self.lines, POINTS * layout.line);
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Cross-correlation of `x` `[n][in][h][w]` with the weights, plus `bias`: as [`super::kernels::conv`].
///
/// With `backward`, the weights are those of a convolution from this one's outputs to its inputs,
/// and are turned: this is then the gradient of that convolution.
pub(super) fn conv(
    x: &[f32],
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &Shape,
    backward: bool,
) -> Vec<f32> {
    let plane = shape.out_plane();
    let len = shape.n * shape.output * plane[0] * plane[1];
    let mut y = Vec::with_capacity(len);
    let output = Output {
        pixels: y.as_mut_ptr(),
        places: std::ptr::null_mut(),
        finish: Finish::Plain,
    };
    let (x, whole) = ((x, &Region::whole(1, shape.plane)), Region::whole(1, plane));
    // SAFETY: as many pixels as the output has.
    unsafe { run(x, weights, bias, shape, backward, &whole, output) };
    // SAFETY: the tiles cover every plane.
    unsafe { y.set_len(len) };
    y
}

/// The ReLU of [`conv`], written to the tiles of `y` that `region` touches. The images of `region` are
/// those of `x` in turn.
///
/// With `places`, it is followed by a maximum pooling of 2 x 2 pixels, so that `y` has half as many rows and columns;
/// `places` says where in its window each maximum stands (0 to 3 in row-major order, the first among
/// equals), 4 if the ReLU has made it 0.
pub(super) fn conv_relu(
    x: &[f32],
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &Shape,
    region: &Region,
    y: &mut [f32],
    places: Option<&mut [u8]>,
) {
    let plane = shape.out_plane();
    let (finish, plane) = match &places {
        Some(_) => (Finish::ReluPool, plane.map(|size| size / 2)),
        None => (Finish::Relu, plane),
    };
    let len = shape.n * shape.output * plane[0] * plane[1];
    assert!(y.len() >= len && places.as_ref().is_none_or(|places| places.len() >= len));
    let output = Output {
        pixels: y.as_mut_ptr(),
        places: places.map_or(std::ptr::null_mut(), |places| places.as_mut_ptr()),
        finish,
    };
    let x = (x, &Region::whole(1, shape.plane));
    // SAFETY: as many pixels, and places if there is a pooling, as the output has.
    unsafe { run(x, weights, bias, shape, false, region, output) };
}

/// The gradient of a convolution for its input, whose [`Shape::backward`] is `shape`, written to the tiles
/// of `y` that `region` touches. Outside of the region given with it, `g` counts as 0. With `gate`, a gradient is 0 where what was
/// in its place is not above 0: `y` is at first the output of a ReLU.
pub(super) fn input_grad(
    g: (&[f32], &Region),
    weights: &Weights,
    shape: &Shape,
    region: &Region,
    gate: bool,
    y: &mut [f32],
) {
    let [h, w] = shape.out_plane();
    assert!(y.len() >= shape.n * shape.output * h * w);
    let output = Output {
        pixels: y.as_mut_ptr(),
        places: std::ptr::null_mut(),
        finish: if gate { Finish::Gate } else { Finish::Plain },
    };
    // SAFETY: as many pixels as the output has.
    unsafe { run(g, weights, None, shape, true, region, output) };
}

/// Writes the tiles that `region` touches.
///
/// # Safety
/// The pixels of `output` (and its places, for a pooling) are as many as the output's.
unsafe fn run(
    (x, inside): (&[f32], &Region),
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &Shape,
    backward: bool,
    region: &Region,
    output: Output,
) {
    // The tiles of a block and the channels of a part of it are its own.
    let blocks = blocks(shape, region);
    blocks.par_iter().with_max_len(1).for_each(|block| {
        SCRATCH.with_borrow_mut(|scratch| {
            let layout = Layout::new(shape, block);
            scratch.fit(layout);
            transform_inputs(x, inside, shape, block, layout, scratch);
            let vectors = block.vectors();
            for first in block.outputs.clone().step_by(OUTPUTS) {
                let outputs = first..block.outputs.end.min(first + OUTPUTS);
                multiply(weights, backward, shape, block, &outputs, layout, scratch);
                transform_products(bias, shape, &vectors, &outputs, layout, scratch, output);
            }
        });
    });
}
