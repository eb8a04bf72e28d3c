//! The gradient of a convolution with respect to its weights, with the same points. With y = A^T
//! [(G w G^T) * (B^T d B)] A for each tile, it is G^T [sum over tiles (B^T d B) * (A g A^T)] G, so
//! that again 36 products replace 144.
//!
//! **Order.** Inputs and gradients of some tiles are transformed, with channels in the lanes of
//! vectors. Each task then multiplies, at one point, all inputs with some output channels: a matrix
//! product summed over the tiles. Registers hold a tile of its sums with AVX-512, and parts of it otherwise; see
//! `add_products`. Where chains of additions end follows from the number of channels, so threads and processor
//! change no bit.

mod sides;
mod sizes;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::points::gradient_from_points;
use super::sizes::{OUT, POINTS, PRODUCTS};
use crate::network::kernels::ConvSizes;
use crate::network::simd::{Aligned, LANES, Lanes, add_products, dispatch, lanes_at, lanes_at_mut};
use sides::{Side, sides};
use sizes::{CHUNK, PANEL, STEP};

/// Chunks whose products form one chain of additions. A sum over thousands of tiles in 32 bits
/// would lose one more digit.
const CHAIN: usize = 8;
/// Approximate amount of transformed numbers of the tiles after which a chain ends in any case.
const FLOATS: usize = 1 << 23;
/// Approximate amount of transformed numbers that are in memory at once, so that they are still in the second-level cache
/// when they are multiplied.
const IN_CACHE: usize = 1 << 18;

/// Whether the gradient is faster in this way. It needs enough channels to fill vectors.
pub(in crate::network) fn gradient_pays(shape: &ConvSizes) -> bool {
    shape.kernel == [3, 3] && shape.input.min(shape.output) >= 16
}

/// Working memory, kept from one call to the next.
#[derive(Default)]
struct Scratch {
    /// Transformed inputs `[chunk of tiles][in / 16][point][tile][16]`.
    inputs: Aligned,
    /// Transformed gradients, likewise.
    gradients: Aligned,
    /// The sums of their products `[point][out][in]`, channels in whole vectors.
    sums: Aligned,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The gradient of [`conv`](super::conv) with respect to its weights, `[out][in][3][3]`, from its
/// input `x` `[n][in][h][w]` and the gradient `g` `[n][out][h'][w']` with respect to its output.
pub(in crate::network) fn weight_grad(x: &[f32], g: &[f32], shape: &ConvSizes) -> Vec<f32> {
    sum_tiles(x, g, shape, FLOATS)
}

/// As [`weight_grad`], where chains end after as many tiles as have `floats` transformed numbers.
fn sum_tiles(x: &[f32], g: &[f32], shape: &ConvSizes, floats: usize) -> Vec<f32> {
    let (x, g) = sides(x, g, shape);
    let (ins, outs) = (x.blocks(), g.blocks());

    // While this thread waits for the tasks of this training, another one may begin on it.
    let mut scratch = SCRATCH.take();
    let sums_len = PRODUCTS * outs * ins * LANES * LANES;
    scratch.sums.grow(sums_len);
    let count = shape.n * x.tiles[0] * x.tiles[1];
    // Sums of whole chains are the same for any number of tiles at once.
    let chunks = (floats / (STEP * (ins + outs))).clamp(1, count.div_ceil(CHUNK));
    let few = (IN_CACHE / (STEP * (ins + outs))).max(CHAIN) / CHAIN * CHAIN;
    for start in (0..count).step_by(chunks * CHUNK) {
        let end = count.min(start + chunks * CHUNK);
        for first in (start..end).step_by(few * CHUNK) {
            add_tiles([&x, &g], first..end.min(first + few * CHUNK), &mut scratch);
        }
    }
    let mut grad = vec![0.0; shape.output * shape.input * 9];
    let rows = grad.par_chunks_mut(shape.input * 9).enumerate();
    rows.for_each(|(out, grad)| {
        let sums = &scratch.sums[out * ins * LANES..sums_len];
        weights_of(sums, outs * LANES * ins * LANES, grad);
    });
    SCRATCH.set(scratch);
    grad
}

/// Adds the products of these tiles to the sums. The first tiles set them.
fn add_tiles([x, g]: [&Side; 2], tiles: Range<usize>, scratch: &mut Scratch) {
    let (ins, outs) = (x.blocks(), g.blocks());
    let chunks = tiles.len().div_ceil(CHUNK);
    x.transform(tiles.start, tiles.len(), &mut scratch.inputs);
    g.transform(tiles.start, tiles.len(), &mut scratch.gradients);
    let (x, g) = (&scratch.inputs, &scratch.gradients);
    let sums = &mut scratch.sums[..PRODUCTS * outs * ins * LANES * LANES];
    let tasks = sums.par_chunks_mut(LANES * ins * LANES).enumerate();
    tasks.for_each(|(task, sums)| {
        let (point, out) = (task / outs, task % outs);
        let (x, g) = (&x[point * PANEL..], &g[out * STEP + point * PANEL..]);
        for chunk in (0..chunks).step_by(CHAIN) {
            let sizes = [ins, outs, CHAIN.min(chunks - chunk)];
            let (x, g) = (&x[chunk * ins * STEP..], &g[chunk * outs * STEP..]);
            multiply(x, g, sizes, tiles.start + chunk == 0, sums);
        }
    });
}

/// Adds to `sums` `[16][in]` (or initially sets them to) the products of 16 output channels with
/// all inputs at one point, where the panels of the first chunk begin.
#[inline(always)]
fn multiply_with<V: Lanes>(
    x: &[f32],
    g: &[f32],
    [ins, outs, chunks]: [usize; 3],
    set: bool,
    sums: &mut [f32],
) {
    let mut input = 0;
    while input < ins {
        let run = (ins - input).min(2);
        for out in (0..LANES).step_by(OUT) {
            let (x, g) = (&x[input * STEP..], &g[out..]);
            let sums = &mut sums[(out * ins + input) * LANES..];
            match run {
                2 => multiply_tile::<V, 2>(x, g, [ins, outs, chunks], set, sums),
                _ => multiply_tile::<V, 1>(x, g, [ins, outs, chunks], set, sums),
            }
        }
        input += run;
    }
}
dispatch!(multiply, multiply_with, (x: &[f32], g: &[f32], sizes: [usize; 3], set: bool, sums: &mut [f32]) -> ());

/// [`multiply`] for eight output channels and `RUN` vectors of inputs.
#[inline(always)]
fn multiply_tile<V: Lanes, const RUN: usize>(
    x: &[f32],
    g: &[f32],
    [ins, outs, chunks]: [usize; 3],
    set: bool,
    sums: &mut [f32],
) {
    let mut products = [[V::splat(0.0); RUN]; OUT];
    // Each step of `add_products` is one tile of Winograd's.
    let block = |tile: usize| {
        let chunk = tile / CHUNK;
        (
            &x[chunk * ins * STEP..][..(RUN - 1) * STEP + PANEL],
            &g[chunk * outs * STEP..][..PANEL - LANES + OUT],
        )
    };
    let vector = |(x, _): (&[f32], &[f32]), tile: usize, run: usize| {
        V::load(lanes_at(x, run * STEP + tile * LANES))
    };
    let factor =
        |(_, g): (&[f32], &[f32]), tile: usize, out: usize| V::splat(g[tile * LANES + out]);
    add_products::<V, _, CHUNK, OUT, RUN>(&mut products, chunks * CHUNK, block, vector, factor);
    for out in 0..OUT {
        for run in 0..RUN {
            let to = lanes_at_mut(sums, (out * ins + run) * LANES);
            *to = if set {
                products[out][run].store()
            } else {
                V::load(to).add(products[out][run]).store()
            };
        }
    }
}

/// The gradient of one output channel's weights, `[in][3][3]`, from its sums. The sums of
/// consecutive points are `step` apart.
#[inline(always)]
fn weights_of_with<V: Lanes>(sums: &[f32], step: usize, grad: &mut [f32]) {
    for (block, grad) in grad.chunks_mut(LANES * 9).enumerate() {
        let mut columns = [[V::splat(0.0); 3]; POINTS];
        for x in 0..POINTS {
            let mut points = [V::splat(0.0); POINTS];
            for y in 0..POINTS {
                points[y] = V::load(lanes_at(sums, (y * POINTS + x) * step + block * LANES));
            }
            columns[x] = gradient_from_points(points);
        }
        for y in 0..3 {
            let mut points = [V::splat(0.0); POINTS];
            for x in 0..POINTS {
                points[x] = columns[x][y];
            }
            for (x, weights) in gradient_from_points(points).into_iter().enumerate() {
                let weights = weights.store();
                for (grad, weight) in grad.chunks_exact_mut(9).zip(weights) {
                    grad[3 * y + x] = weight;
                }
            }
        }
    }
}
dispatch!(weights_of, weights_of_with, (sums: &[f32], step: usize, grad: &mut [f32]) -> ());
