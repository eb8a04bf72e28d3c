//! The convolution, and its gradient with respect to the input: tiles of the input are transformed to
//! points, multiplied, and transformed back.

use std::cell::RefCell;

use rayon::prelude::*;

use super::input::transform_inputs;
use super::output::{Finish, Output, segments, transform_products};
use super::products::multiply;
use super::scratch::Scratch;
use super::sizes::{OUTPUTS, TILE};
use super::tiles::{BlockSizes, blocks};
use super::weights::Weights;
use crate::network::kernels::{After, ConvSizes};
use crate::network::region::Region;

/// Whether a convolution is faster this way. It needs enough channels to outweigh the cost of the
/// transforms, and more than one tile in a row.
pub(in crate::network) fn pays(shape: &ConvSizes) -> bool {
    shape.kernel == [3, 3]
        && shape.input.min(shape.output) >= 16
        && shape.out_plane().iter().all(|&size| size > TILE)
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Cross-correlation of `x` `[n][in][h][w]` with the weights, plus `bias`, and what comes after it: the same as
/// [`crate::network::kernels::conv`].
///
/// With `backward`, the weights belong to a convolution in the opposite direction, from the outputs
/// to the inputs, and are rotated by 180 degrees. The result is then the gradient of that convolution.
pub(in crate::network) fn conv(
    x: &[f32],
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &ConvSizes,
    backward: bool,
    after: After<'_>,
) -> Vec<f32> {
    let plane = shape.out_plane();
    let len = shape.n * shape.output * plane[0] * plane[1];
    let mut y = Vec::with_capacity(len);
    let output = Output {
        pixels: y.as_mut_ptr(),
        places: std::ptr::null_mut(),
        finish: match after {
            After::Plain => Finish::Plain,
            After::Relu => Finish::Relu,
            After::Gate(gate) => {
                assert_eq!(gate.len(), len);
                Finish::Gate(gate.as_ptr())
            }
        },
    };
    let (x, whole) = ((x, &Region::whole(1, shape.plane)), Region::whole(1, plane));
    // SAFETY: as many pixels as the output has, and numbers of the gate.
    unsafe { run(x, weights, bias, shape, backward, &whole, output) };
    // SAFETY: the tiles cover every plane.
    unsafe { y.set_len(len) };
    y
}

/// The ReLU of [`conv`], written to the tiles of `y` that overlap `region`. The images of `region`
/// belong to those of `x` in turn.
///
/// With `places`, a maximum pooling of 2 x 2 pixels follows, so `y` has half as many rows and
/// columns. `places` receives the position of each maximum in its window: 0 to 3 in row-major order
/// (the first among equals), or 4 if the ReLU has set it to 0.
pub(in crate::network) fn conv_relu(
    x: &[f32],
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &ConvSizes,
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

/// The gradient of a convolution with respect to its input, written to the tiles of `y` that overlap
/// `region`. The [`ConvSizes::backward`] of the convolution is `shape`. Outside the region that comes
/// with it, `g` counts as 0. With `gate`, `y` initially holds the output of a ReLU, and the gradient is
/// 0 where this output is not above 0.
pub(in crate::network) fn input_grad(
    g: (&[f32], &Region),
    weights: &Weights,
    shape: &ConvSizes,
    region: &Region,
    gate: bool,
    y: &mut [f32],
) {
    let [h, w] = shape.out_plane();
    assert!(y.len() >= shape.n * shape.output * h * w);
    let pixels = y.as_mut_ptr();
    let output = Output {
        pixels,
        places: std::ptr::null_mut(),
        finish: if gate {
            Finish::Gate(pixels)
        } else {
            Finish::Plain
        },
    };
    // SAFETY: as many pixels as the output has.
    unsafe { run(g, weights, None, shape, true, region, output) };
}

/// Writes the tiles that overlap `region`.
///
/// # Safety
/// `output` must have as many pixels (and places, for a pooling, and numbers of a gate) as the output of the convolution.
unsafe fn run(
    (x, inside): (&[f32], &Region),
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &ConvSizes,
    backward: bool,
    region: &Region,
    output: Output,
) {
    // No two tasks have the same tiles and channels.
    let blocks = blocks(shape, region);
    blocks.par_iter().with_max_len(1).for_each(|block| {
        SCRATCH.with_borrow_mut(|scratch| {
            let layout = BlockSizes::new(shape, block);
            scratch.fit(layout);
            transform_inputs(x, inside, shape, block, layout, scratch);
            let vectors = segments(block, shape, output.finish);
            for first in block.outputs.clone().step_by(OUTPUTS) {
                let outputs = first..block.outputs.end.min(first + OUTPUTS);
                multiply(weights, backward, shape, block, &outputs, layout, scratch);
                transform_products(bias, shape, &vectors, &outputs, layout, scratch, output);
            }
        });
    });
}
