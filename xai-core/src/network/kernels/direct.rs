//! Convolution by its definition.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_sizes::{BLOCK, ConvSizes, GROUP_FLOATS, RUN, pad, tap_offsets};
use crate::network::simd::{LANES, Lanes, add_products, dispatch, lanes_at};

/// Output channels of a tile of sums. Registers hold the tile with AVX-512, and parts of it otherwise; see
/// [`add_products`].
pub(super) const OUT: usize = 8;

/// The weights of [`conv`] in the order in which they are read: `[out / OUT][in][tap][OUT]`.
pub(in crate::network) fn pack(
    weight: &[f32],
    outputs: usize,
    inputs: usize,
    taps: usize,
) -> Vec<f32> {
    let mut packed = vec![0.0; outputs.div_ceil(OUT) * inputs * taps * OUT];
    packed
        .par_chunks_mut(inputs * taps * OUT)
        .enumerate()
        .for_each(|(block, packed)| {
            let first = block * OUT;
            for out in first..outputs.min(first + OUT) {
                let weight = &weight[out * inputs * taps..][..inputs * taps];
                for (packed, weight) in packed.chunks_exact_mut(OUT).zip(weight) {
                    packed[out - first] = *weight;
                }
            }
        });
    packed
}

/// Cross-correlation of `x` `[n][in][h][w]` with the [`pack`]ed weights, plus `bias`.
pub(in crate::network) fn conv(
    x: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    shape: &ConvSizes,
) -> Vec<f32> {
    let ConvSizes { input, output, .. } = *shape;
    let out_len = shape.out_plane().iter().product::<usize>();
    let group = shape.group(input);
    let mut y = vec![0.0; shape.n * output * out_len];
    y.par_chunks_mut(group * output * out_len)
        .zip(x.par_chunks(group * input * shape.plane[0] * shape.plane[1]))
        .for_each(|(y, x)| {
            let images = y.len() / (output * out_len);
            let padded = pad(
                x,
                images,
                input,
                shape.plane,
                shape.padded(),
                shape.padding,
                shape.slack(),
            );
            // If a group is a single image, threads share its output channels.
            let part = match images {
                1 => (output.div_ceil(OUT).div_ceil(4) * OUT).min(output),
                _ => output,
            };
            y.par_chunks_mut(images * part * out_len)
                .enumerate()
                .for_each(|(at, y)| {
                    let outputs = at * part..output.min((at + 1) * part);
                    conv_group(&padded, packed, bias, images, shape, outputs, y);
                });
        });
    y
}

/// Some output channels of a group of images, `y` `[image][outputs][h'][w']`.
fn conv_group(
    padded: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    images: usize,
    shape: &ConvSizes,
    outputs: Range<usize>,
    y: &mut [f32],
) {
    let pitch = shape.padded()[1];
    let plane = shape.padded_len();
    let [out_h, out_w] = shape.out_plane();
    let line = images * plane + shape.slack();
    let taps = tap_offsets(shape);
    let of_channel = |channel: usize| taps.iter().map(move |tap| channel * line + tap);
    let offsets: Vec<usize> = (0..shape.input).flat_map(of_channel).collect();
    let steps = offsets.len() * OUT;
    // Below the last row of the last image, there is nothing to compute.
    let positions = (images - 1) * plane + out_h * pitch;
    // As many positions as have their inputs in the second-level cache. The weights are read once
    // for each of these ranges.
    let range = (GROUP_FLOATS / shape.input).saturating_sub(shape.slack());
    let range = (range / BLOCK).max(1) * BLOCK;
    for first in (0..positions).step_by(range) {
        for out in outputs.clone().step_by(OUT) {
            let weights = &packed[out / OUT * steps..][..steps];
            for start in (first..positions.min(first + range)).step_by(BLOCK) {
                let sums = correlate(&padded[start..], weights, &offsets);
                let outs = (outputs.end - out).min(OUT);
                // Runs of positions within one row are copied to the output. The rest of the row is
                // padding.
                let mut p = start;
                let end = (start + BLOCK).min(positions);
                while p < end {
                    let (image, row, column) = (p / plane, p % plane / pitch, p % pitch);
                    let run = (pitch - column).min(end - p);
                    if row < out_h && column < out_w {
                        let keep = run.min(out_w - column);
                        for (lane, sums) in sums.iter().enumerate().take(outs) {
                            let b = bias.map_or(0.0, |bias| bias[out + lane]);
                            let channel = image * outputs.len() + out - outputs.start + lane;
                            let to = (channel * out_h + row) * out_w + column;
                            let sums = sums.as_flattened();
                            for (to, sum) in y[to..to + keep].iter_mut().zip(&sums[p - start..]) {
                                *to = sum + b;
                            }
                        }
                    }
                    p += run;
                }
            }
        }
    }
}

/// One block of positions for [`OUT`] output channels: the sum over input channels and taps.
pub(super) type Sums = [[[f32; LANES]; RUN]; OUT];

/// The sums of one block of positions. Each input channel and tap has `OUT` weights and the offset in `lines` at
/// which its inputs begin.
#[inline(always)]
fn correlate_with<V: Lanes>(lines: &[f32], weights: &[f32], offsets: &[usize]) -> Sums {
    let mut sums = [[V::splat(0.0); RUN]; OUT];
    let weights = weights.as_chunks::<OUT>().0;
    let step = |step: usize| (&lines[offsets[step]..][..BLOCK], &weights[step]);
    let vector = |(x, _): (&[f32], &[f32; OUT]), _, run: usize| V::load(lanes_at(x, run * LANES));
    let factor = |(_, weights): (&[f32], &[f32; OUT]), _, out: usize| V::splat(weights[out]);
    add_products::<V, _, 1, OUT, RUN>(&mut sums, offsets.len(), step, vector, factor);
    let mut stored = [[[0.0; LANES]; RUN]; OUT];
    for out in 0..OUT {
        for run in 0..RUN {
            stored[out][run] = sums[out][run].store();
        }
    }
    stored
}
dispatch!(pub(super) correlate, correlate_with, (lines: &[f32], weights: &[f32], offsets: &[usize]) -> Sums);

/// The gradient of [`conv`] with respect to its input: the correlation of `g` `[n][out][h'][w']`
/// with the weights rotated by 180 degrees and with exchanged channels.
pub(in crate::network) fn conv_input_grad(
    g: &[f32],
    weight: &[f32],
    shape: &ConvSizes,
) -> Vec<f32> {
    let ConvSizes { input, output, .. } = *shape;
    let taps = shape.taps();
    let mut turned = vec![0.0; weight.len()];
    for out in 0..output {
        for channel in 0..input {
            for tap in 0..taps {
                turned[(channel * output + out) * taps + taps - 1 - tap] =
                    weight[(out * input + channel) * taps + tap];
            }
        }
    }
    conv(
        g,
        &pack(&turned, input, output, taps),
        None,
        &shape.backward(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let (line, channels) = (400, 5);
        let (lines, weights) = (numbers(line * channels, 0), numbers(channels * 9 * OUT, 7));
        let place = |at: usize| at / 9 * line + at / 3 % 3 * 20 + at % 3;
        let offsets: Vec<usize> = (0..9 * channels).map(place).collect();
        let best = correlate(&lines, &weights, &offsets);
        let plain = correlate_with::<[f32; LANES]>(&lines, &weights, &offsets);
        assert_eq!(best, plain);
        assert!(best.as_flattened().as_flattened().iter().any(|x| *x != 0.0));
    }
}
