//! The products of all input channels with all output channels, which are almost all of the work.

use std::ops::Range;

use super::scratch::Scratch;
use super::sizes::{AHEAD, OUT, POINTS, PRODUCTS, SQUARES_AHEAD, TURNED, VECTORS};
use super::tiles::{Block, BlockSizes};
use super::weights::Weights;
use crate::network::kernels::ConvSizes;
use crate::network::simd::{LANES, Lanes, dispatch, keep_order, lanes_at, lanes_at_mut, prefetch};

/// The products of the weights of `outputs` with all inputs, one matrix per point.
#[inline(always)]
pub(super) fn multiply_with<V: Lanes>(
    weights: &Weights,
    backward: bool,
    shape: &ConvSizes,
    block: &Block,
    outputs: &Range<usize>,
    layout: BlockSizes,
    scratch: &mut Scratch,
) {
    let vectors = block.tiles().div_ceil(LANES);
    assert!((1..=VECTORS).contains(&vectors));
    for point in 0..PRODUCTS {
        let inputs = &scratch.inputs[point * layout.input_step..][..layout.input_step];
        let products = &mut scratch.products[point * layout.product_step..][..layout.product_step];
        let (turned, len) = (
            TURNED[point / POINTS] * POINTS + TURNED[point % POINTS],
            weights.outputs * weights.inputs,
        );
        let weight = &weights.numbers[if backward { turned } else { point } * len..][..len];
        for out in outputs.clone().step_by(OUT) {
            let to = &mut products[(out - outputs.start) * layout.pitch..];
            // On the way back, the roles of input and output channels are exchanged.
            let (w, step) = if backward {
                (&weight[out * OUT..], weights.inputs * OUT)
            } else {
                (&weight[out * weights.inputs..], OUT * OUT)
            };
            let (x, depth, pitch) = (inputs, shape.input, layout.pitch);
            match (backward, vectors) {
                (false, 1) => products_of::<V, 1, false>(w, step, x, depth, pitch, to),
                (false, 2) => products_of::<V, 2, false>(w, step, x, depth, pitch, to),
                (false, _) => products_of::<V, VECTORS, false>(w, step, x, depth, pitch, to),
                (true, 1) => products_of::<V, 1, true>(w, step, x, depth, pitch, to),
                (true, 2) => products_of::<V, 2, true>(w, step, x, depth, pitch, to),
                (true, _) => products_of::<V, VECTORS, true>(w, step, x, depth, pitch, to),
            }
        }
    }
}
dispatch!(pub(super) multiply, multiply_with, (weights: &Weights, backward: bool, shape: &ConvSizes, block: &Block, outputs: &Range<usize>, layout: BlockSizes, scratch: &mut Scratch) -> ());

/// Eight output channels of `RUN` vectors of tiles, summed over `depth` input channels, which are
/// `pitch` apart in `x`. The weights of eight input channels form a square; squares are `step`
/// apart.
#[inline(always)]
fn products_of<V: Lanes, const RUN: usize, const BACKWARD: bool>(
    weights: &[f32],
    step: usize,
    x: &[f32],
    depth: usize,
    pitch: usize,
    to: &mut [f32],
) {
    let mut sums = [[V::splat(0.0); RUN]; OUT];
    let mut vectors = [V::splat(0.0); RUN];
    // On the way back, squares are far apart. The processor cannot predict the access to them.
    let ahead = if BACKWARD {
        SQUARES_AHEAD * step
    } else {
        AHEAD
    };
    for first in (0..depth).step_by(OUT) {
        let square: &[f32; OUT * OUT] = (weights[first / OUT * step..][..OUT * OUT])
            .try_into()
            .expect("a square");
        for channel in 0..OUT.min(depth - first) {
            if channel % 2 == 0 {
                prefetch(square.as_ptr().wrapping_add(channel * OUT + ahead));
            }
            for run in 0..RUN {
                vectors[run] = V::load(lanes_at(x, (first + channel) * pitch + run * LANES));
            }
            for out in 0..OUT {
                let weight = V::splat(if BACKWARD {
                    square[out * OUT + channel]
                } else {
                    square[channel * OUT + out]
                });
                keep_order();
                for run in 0..RUN {
                    sums[out][run] = weight.mul_add(vectors[run], sums[out][run]);
                }
            }
        }
    }
    for out in 0..OUT {
        for run in 0..RUN {
            *lanes_at_mut(to, out * pitch + run * LANES) = sums[out][run].store();
        }
    }
}
