//! Convolution by its definition.

use std::mem::MaybeUninit;
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

/// The operation after a convolution, which is applied while its output is at hand.
#[derive(Clone, Copy)]
pub(in crate::network) enum After<'a> {
    /// Nothing.
    Plain,
    /// A ReLU.
    Relu,
    /// Sets the output to 0 where the number in its place here is not above 0.
    Gate(&'a [f32]),
}

impl After<'_> {
    /// That of this part of the output.
    fn part(self, part: Range<usize>) -> Self {
        match self {
            Self::Gate(gate) => Self::Gate(&gate[part]),
            other => other,
        }
    }
}

/// Cross-correlation of `x` `[n][in][h][w]` with the [`pack`]ed weights, plus `bias`, and what comes after it.
pub(in crate::network) fn conv(
    x: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    shape: &ConvSizes,
    after: After<'_>,
) -> Vec<f32> {
    let ConvSizes { input, output, .. } = *shape;
    let out_len = shape.out_plane().iter().product::<usize>();
    let group = shape.group(input);
    assert_eq!(x.len(), shape.n * input * shape.plane[0] * shape.plane[1]);
    let len = shape.n * output * out_len;
    let mut y = Vec::with_capacity(len);
    y.spare_capacity_mut()[..len]
        .par_chunks_mut(group * output * out_len)
        .zip(x.par_chunks(group * input * shape.plane[0] * shape.plane[1]))
        .enumerate()
        .for_each(|(number, (y, x))| {
            let images = y.len() / (output * out_len);
            let first = number * group * output * out_len;
            let padded = pad(
                x,
                images,
                input,
                shape.plane,
                shape.in_line(),
                shape.padding,
                shape.slack(),
            );
            // If a group is a single image, threads share its output channels.
            let part = match images {
                1 => (output.div_ceil(OUT).div_ceil(4) * OUT).min(output),
                _ => output,
            };
            let len = images * part * out_len;
            y.par_chunks_mut(len).enumerate().for_each(|(at, y)| {
                let outputs = at * part..output.min((at + 1) * part);
                let first = first + at * len;
                let after = after.part(first..first + y.len());
                conv_group(&padded, packed, bias, images, shape, outputs, after, y);
            });
        });
    // SAFETY: every number has been written, because `x` has all groups.
    unsafe { y.set_len(len) };
    y
}

/// Writes some output channels of a group of images, `y` `[image][outputs][h'][w']`.
#[expect(clippy::too_many_arguments, reason = "the parts of one loop")]
fn conv_group(
    padded: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    images: usize,
    shape: &ConvSizes,
    outputs: Range<usize>,
    after: After<'_>,
    y: &mut [MaybeUninit<f32>],
) {
    let [rows, pitch] = shape.in_line();
    let plane = rows * pitch;
    let [out_h, out_w] = shape.out_plane();
    let line = images * plane + shape.slack();
    let taps = tap_offsets(shape, pitch);
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
                            let sums = &sums.as_flattened()[p - start..][..keep];
                            let part = to..to + keep;
                            write(sums, b, after.part(part.clone()), &mut y[part]);
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

/// Writes the sums of positions side by side, plus a bias.
#[inline(always)]
fn write_with<V: Lanes>(sums: &[f32], bias: f32, after: After<'_>, to: &mut [MaybeUninit<f32>]) {
    let pairs = to.iter_mut().zip(sums);
    match after {
        After::Plain => pairs.for_each(|(to, sum)| {
            to.write(sum + bias);
        }),
        After::Relu => pairs.for_each(|(to, sum)| {
            let y = sum + bias;
            to.write(if y < 0.0 { 0.0 } else { y });
        }),
        After::Gate(gate) => pairs.zip(gate).for_each(|((to, sum), gate)| {
            to.write(if *gate > 0.0 { sum + bias } else { 0.0 });
        }),
    }
}
dispatch!(write, write_with, (sums: &[f32], bias: f32, after: After<'_>, to: &mut [MaybeUninit<f32>]) -> ());

/// The gradient of [`conv`] with respect to its input: the correlation of `g` `[n][out][h'][w']`
/// with the weights rotated by 180 degrees and with exchanged channels. Then what comes after it.
pub(in crate::network) fn conv_input_grad(
    g: &[f32],
    weight: &[f32],
    shape: &ConvSizes,
    after: After<'_>,
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
        after,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::{gate, numbers, relu};

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

    /// Each output is the chain of fused multiply-adds that the module promises, zeros of the padding included.
    #[test]
    fn every_output_is_its_chain_of_products() {
        for (kernel, padding) in [
            ([3, 3], [1, 1]),
            ([3, 3], [0, 0]),
            ([3, 3], [2, 1]),
            ([1, 3], [3, 4]),
            ([5, 2], [2, 0]),
            ([1, 1], [0, 0]),
        ] {
            let (n, input, output, plane) = (5, 3, 9, [6, 11]);
            let shape = ConvSizes {
                n,
                input,
                output,
                plane,
                kernel,
                padding,
            };
            let ([h, w], [rows, columns]) = (plane, kernel);
            let (x, weight) = (
                numbers(n * input * h * w, 3),
                numbers(output * input * rows * columns, 5),
            );
            let packed = pack(&weight, output, input, rows * columns);
            let y = conv(&x, &packed, None, &shape, After::Plain);
            let [out_h, out_w] = shape.out_plane();
            assert_eq!(y.len(), n * output * out_h * out_w);
            for (at, y) in y.iter().enumerate() {
                let (image, out) = (at / (output * out_h * out_w), at / (out_h * out_w) % output);
                let place = [at / out_w % out_h, at % out_w];
                let mut sum = 0.0_f32;
                for step in 0..input * rows * columns {
                    let channel = step / (rows * columns);
                    let tap = [step / columns % rows, step % columns];
                    let from = [0, 1].map(|axis| {
                        let from = (place[axis] + tap[axis]).checked_sub(padding[axis])?;
                        (from < plane[axis]).then_some(from)
                    });
                    let x = match from {
                        [Some(row), Some(column)] => {
                            x[((image * input + channel) * h + row) * w + column]
                        }
                        _ => 0.0,
                    };
                    sum = x.mul_add(weight[out * input * rows * columns + step], sum);
                }
                assert_eq!(y.to_bits(), sum.to_bits(), "{kernel:?} {padding:?} {at}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn a_missing_image_is_noticed() {
        let shape = ConvSizes {
            n: 4,
            input: 3,
            output: 5,
            plane: [8, 8],
            kernel: [3, 3],
            padding: [1, 1],
        };
        let packed = pack(&numbers(5 * 3 * 9, 1), 5, 3, 9);
        conv(&numbers(2 * 3 * 64, 2), &packed, None, &shape, After::Plain);
    }

    /// Compared with the separate operations, on planes whose rows fill no vectors, with one image and with several.
    #[test]
    fn what_comes_after_a_convolution_has_the_bits_of_the_separate_operation() {
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for (n, input, output, plane) in
            [(1, 3, 40, [5, 7]), (5, 3, 9, [33, 20]), (2, 1, 1, [4, 70])]
        {
            let shape = ConvSizes {
                n,
                input,
                output,
                plane,
                kernel: [3, 3],
                padding: [1, 1],
            };
            let [h, w] = plane;
            let mut x = numbers(n * input * h * w, 3);
            x[0] = f32::NAN;
            let weight = numbers(output * input * 9, 5);
            let (packed, bias) = (pack(&weight, output, input, 9), numbers(output, 7));
            let conv = |after| conv(&x, &packed, Some(&bias), &shape, after);
            let plain = conv(After::Plain);
            assert_eq!(bits(&conv(After::Relu)), bits(&relu(&plain)));
            let mut by = numbers(plain.len(), 11);
            by[..3].copy_from_slice(&[0.0, -0.0, f32::NAN]);
            let mut gated = plain.clone();
            gate(&mut gated, &by);
            assert_eq!(bits(&conv(After::Gate(&by))), bits(&gated));
            assert_ne!(bits(&plain), bits(&gated));

            let g = |after| conv_input_grad(&plain, &weight, &shape, after);
            let (mut gated, by) = (g(After::Plain), numbers(x.len(), 11));
            gate(&mut gated, &by);
            assert_eq!(bits(&g(After::Gate(&by))), bits(&gated));
        }
    }
}
