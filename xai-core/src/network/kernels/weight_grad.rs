//! The gradient of a convolution with respect to its weight, for few channels.

use rayon::prelude::*;

use super::conv_sizes::{ConvSizes, pad};
use crate::network::simd::{LANES, Lanes, add_products, dispatch};

/// Output channels, input channels and taps of the register tile of the weight gradient.
const TILE_OUT: usize = 4;
const TILE_IN: usize = 2;
const TILE_TAPS: usize = 3;
/// Input channels and taps.
const INPUTS: usize = TILE_IN * TILE_TAPS;
const TILE: usize = TILE_OUT * INPUTS;
type Tile = [[f32; LANES]; TILE];

/// The gradient of [`conv`](super::conv) with respect to its weight, `[out][in][kh][kw]`, for
/// kernels of three columns. With many channels, [`winograd`](crate::network::winograd) is faster.
pub(in crate::network) fn conv_weight_grad(x: &[f32], g: &[f32], shape: &ConvSizes) -> Vec<f32> {
    assert_eq!(shape.kernel[1], TILE_TAPS);
    let ConvSizes { input, output, .. } = *shape;
    let (x_len, g_len) = (
        input * shape.plane[0] * shape.plane[1],
        output * shape.out_plane()[0] * shape.out_plane()[1],
    );
    assert_eq!([x.len(), g.len()], [shape.n * x_len, shape.n * g_len]);
    let group = shape.group(input.max(output));
    let partial: Vec<Vec<f32>> = x
        .par_chunks(group * x_len)
        .zip(g.par_chunks(group * g_len))
        .map(|(x, g)| weight_grad_group(x, g, x.len() / x_len, shape))
        .collect();
    let mut sum = vec![0.0; output * input * shape.taps()];
    for partial in partial {
        for (sum, part) in sum.iter_mut().zip(partial) {
            *sum += part;
        }
    }
    sum
}

fn weight_grad_group(x: &[f32], g: &[f32], images: usize, shape: &ConvSizes) -> Vec<f32> {
    let ConvSizes { input, output, .. } = *shape;
    let [rows, pitch] = shape.padded();
    // Both channel counts are rounded up to whole tiles with lines of zeros.
    let (ins, outs) = (
        input.next_multiple_of(TILE_IN),
        output.next_multiple_of(TILE_OUT),
    );
    let line = images * rows * pitch + shape.slack();
    let mut x = pad(
        x,
        images,
        input,
        shape.plane,
        [rows, pitch],
        shape.padding,
        shape.slack(),
    );
    x.resize(ins * line, 0.0);
    let mut g = pad(
        g,
        images,
        output,
        shape.out_plane(),
        [rows, pitch],
        [0, 0],
        shape.slack(),
    );
    g.resize(outs * line, 0.0);

    /// Positions processed before the next tile, so that the lines stay in the first-level cache.
    const CHUNK: usize = 32 * LANES;
    let kernel_rows = shape.kernel[0];
    let tiles = (outs / TILE_OUT) * (ins / TILE_IN) * kernel_rows;
    let mut sums: Vec<Tile> = vec![[[0.0; LANES]; TILE]; tiles];
    let positions = (images * rows * pitch).next_multiple_of(LANES);
    for start in (0..positions).step_by(CHUNK) {
        let len = CHUNK.min(positions - start);
        let mut tile = sums.iter_mut();
        for out in (0..outs).step_by(TILE_OUT) {
            for channel in (0..ins).step_by(TILE_IN) {
                for ky in 0..kernel_rows {
                    accumulate(
                        &g[out * line + start..],
                        &x[channel * line + start + ky * pitch..],
                        line,
                        len,
                        tile.next().expect("one tile a step"),
                    );
                }
            }
        }
    }

    let mut grad = vec![0.0; output * input * shape.taps()];
    let mut tile = sums.iter();
    for out in (0..outs).step_by(TILE_OUT) {
        for channel in (0..ins).step_by(TILE_IN) {
            for ky in 0..kernel_rows {
                let tile = tile.next().expect("one tile a step");
                for (at, lanes) in tile.iter().enumerate() {
                    let out = out + at / (TILE_IN * TILE_TAPS);
                    let channel = channel + at / TILE_TAPS % TILE_IN;
                    if out < output && channel < input {
                        let tap = ky * TILE_TAPS + at % TILE_TAPS;
                        grad[(out * input + channel) * shape.taps() + tap] = lanes.iter().sum();
                    }
                }
            }
        }
    }
    grad
}

/// Adds the contributions of `len` positions to `tile`. `g` and `x` begin at the first of them.
#[inline(always)]
fn accumulate_with<V: Lanes>(g: &[f32], x: &[f32], line: usize, len: usize, tile: &mut Tile) {
    let mut sums: [[V; INPUTS]; TILE_OUT] =
        std::array::from_fn(|out| std::array::from_fn(|at| V::load(&tile[out * INPUTS + at])));
    let g: [&[[f32; LANES]]; TILE_OUT] =
        std::array::from_fn(|out| g[out * line..][..len].as_chunks().0);
    let x: [&[[f32; LANES]]; INPUTS] = std::array::from_fn(|at| {
        x[at / TILE_TAPS * line + at % TILE_TAPS..][..len]
            .as_chunks()
            .0
    });
    let input = |step: usize, _, at: usize| V::load(&x[at][step]);
    let gradient = |step: usize, _, out: usize| V::load(&g[out][step]);
    let steps = len / LANES;
    add_products::<V, _, 1, TILE_OUT, INPUTS>(&mut sums, steps, |step| step, input, gradient);
    for (tile, sum) in tile.iter_mut().zip(sums.as_flattened()) {
        *tile = sum.store();
    }
}
dispatch!(accumulate, accumulate_with, (g: &[f32], x: &[f32], line: usize, len: usize, tile: &mut Tile) -> ());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let line = 400;
        let (lines, g) = (numbers(line * 5, 0), numbers(line * TILE_OUT, 7));
        let (mut best, mut plain) = ([[0.5; LANES]; TILE], [[0.5; LANES]; TILE]);
        accumulate(&g, &lines, line, 320, &mut best);
        accumulate_with::<[f32; LANES]>(&g, &lines, line, 320, &mut plain);
        assert_eq!(best, plain);
    }
}
