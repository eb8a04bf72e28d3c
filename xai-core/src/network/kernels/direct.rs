//! Convolution by its definition.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_sizes::{BLOCK, ConvSizes, GROUP_FLOATS, RUN, pad, tap_offsets};
use crate::network::simd::{LANES, Lanes, dispatch};

/// Output channels held in registers.
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
    let offsets = tap_offsets(shape);
    let steps = shape.input * offsets.len() * OUT;
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
                let sums = correlate(&padded[start..], line, weights, &offsets);
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

/// The sums of one block of positions that begins at `lines`. The lines are `line` apart.
#[inline(always)]
fn correlate_with<V: Lanes>(
    lines: &[f32],
    line: usize,
    weights: &[f32],
    offsets: &[usize],
) -> Sums {
    let mut sums = [[V::splat(0.0); RUN]; OUT];
    for (channel, weights) in weights.chunks_exact(offsets.len() * OUT).enumerate() {
        let channel = &lines[channel * line..];
        for (&offset, weights) in offsets.iter().zip(weights.as_chunks::<OUT>().0) {
            let window = channel[offset..offset + BLOCK].as_chunks::<LANES>().0;
            let x: [V; RUN] = std::array::from_fn(|run| V::load(&window[run]));
            for out in 0..OUT {
                let weight = V::splat(weights[out]);
                for run in 0..RUN {
                    sums[out][run] = weight.mul_add(x[run], sums[out][run]);
                }
            }
        }
    }
    let mut stored = [[[0.0; LANES]; RUN]; OUT];
    for out in 0..OUT {
        for run in 0..RUN {
            stored[out][run] = sums[out][run].store();
        }
    }
    stored
}
dispatch!(pub(super) correlate, correlate_with, (lines: &[f32], line: usize, weights: &[f32], offsets: &[usize]) -> Sums);

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
        let offsets: Vec<usize> = (0..3)
            .flat_map(|y| (0..3).map(move |x| y * 20 + x))
            .collect();
        let best = correlate(&lines, line, &weights, &offsets);
        let plain = correlate_with::<[f32; LANES]>(&lines, line, &weights, &offsets);
        assert_eq!(best, plain);
        assert!(best.as_flattened().as_flattened().iter().any(|x| *x != 0.0));
    }
}
