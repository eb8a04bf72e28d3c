//! The products of all input channels with all output channels, which are almost all of the work.

use std::ops::Range;

use super::scratch::Scratch;
use super::sizes::{AHEAD, OUT, POINTS, PRODUCTS, SQUARES_AHEAD, TURNED, VECTORS};
use super::tiles::{Block, BlockSizes};
use super::weights::Weights;
use crate::network::kernels::ConvSizes;
use crate::network::simd::{
    LANES, Lanes, add_products, dispatch, lanes_at, lanes_at_mut, prefetch,
};

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
    // On the way back, squares are far apart. The processor cannot predict the access to them.
    let ahead = if BACKWARD {
        SQUARES_AHEAD * step
    } else {
        AHEAD
    };
    type Block<'a> = (&'a [f32; OUT * OUT], &'a [f32]);
    let block = |first: usize| -> Block {
        let square = weights[first / OUT * step..].first_chunk();
        (square.expect("a square"), &x[first * pitch..])
    };
    let vector = |(square, x): Block, channel: usize, run: usize| {
        if run == 0 && channel.is_multiple_of(2) {
            prefetch(square.as_ptr().wrapping_add(channel * OUT + ahead));
        }
        V::load(lanes_at(x, channel * pitch + run * LANES))
    };
    let factor = |(square, _): Block, channel: usize, out: usize| {
        V::splat(if BACKWARD {
            square[out * OUT + channel]
        } else {
            square[channel * OUT + out]
        })
    };
    add_products::<V, Block, OUT, OUT, RUN>(&mut sums, depth, block, vector, factor);
    for out in 0..OUT {
        for run in 0..RUN {
            *lanes_at_mut(to, out * pitch + run * LANES) = sums[out][run].store();
        }
    }
}
