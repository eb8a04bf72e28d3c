//! Scalings and sums per channel, with the ReLU after a batch normalisation and its gate on the way back.
//! Everything is done in as few passes over memory as possible.
//!
//! Every number is that of the separate operations, bit for bit: products and sums are rounded one by
//! one, and a plane is summed in 16 lanes, and then in 64 bits over planes in order. Threads and
//! processor have no effect.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::PLANES;
use super::norm_columns::{self, Gate, affine_relu_number, gated_number};
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at_mut};

/// The numbers of a plane of 1 channel.
pub(super) type Line = [f32; LANES];

/// `max(a[c] * x + shift[c], 0)` for each channel `c` of `x` `[n][channels][len]`; NaN stays NaN.
pub(in crate::network) fn affine_relu(x: &[f32], [a, shift]: [&[f32]; 2], len: usize) -> Vec<f32> {
    if len == 1 {
        return norm_columns::affine_relu(x, [a, shift]);
    }
    let mut y = Vec::with_capacity(x.len());
    y.spare_capacity_mut()[..x.len()]
        .par_chunks_mut(len)
        .zip(x.par_chunks(len))
        .enumerate()
        .with_min_len(PLANES)
        .for_each(|(plane, (y, x))| {
            let channel = plane % a.len();
            affine_relu_of_plane(x, a[channel], shift[channel], y);
        });
    // SAFETY: every number has been written.
    unsafe { y.set_len(x.len()) };
    y
}

#[inline(always)]
fn affine_relu_with<V: Lanes>(x: &[f32], a: f32, shift: f32, y: &mut [MaybeUninit<f32>]) {
    let (factor, add) = (V::splat(a), V::splat(shift));
    let (x, last) = x.as_chunks::<LANES>();
    let (y, last_y) = y.as_chunks_mut::<LANES>();
    for (y, x) in y.iter_mut().zip(x) {
        factor.mul(V::load(x)).add(add).relu().write(y);
    }
    for (y, x) in last_y.iter_mut().zip(last) {
        y.write(affine_relu_number(*x, a, shift));
    }
}
dispatch!(pub(super) affine_relu_of_plane, affine_relu_with, (x: &[f32], a: f32, shift: f32, y: &mut [MaybeUninit<f32>]) -> ());

/// The factor and shift of a channel.
fn of_channel(gate: Gate<'_>, channel: usize) -> Option<[f32; 2]> {
    gate.map(|[a, shift]| [a[channel], shift[channel]])
}

/// For each channel of `x` and `y` `[n][channels][len]`: the sum of `x` and of `x * y`. With a `gate`, `x`
/// counts as 0 where `gate[0][c] * y + gate[1][c]` is not above 0.
pub(in crate::network) fn channel_sums(
    x: &[f32],
    y: &[f32],
    gate: Gate<'_>,
    channels: usize,
    len: usize,
) -> [Vec<f32>; 2] {
    if len == 1 {
        return norm_columns::sums(x, y, gate, channels);
    }
    let planes: Vec<[f64; 2]> = (x.par_chunks(len).zip(y.par_chunks(len)).enumerate())
        .with_min_len(PLANES)
        .map(|(plane, (x, y))| {
            sums_of_plane(x, y, of_channel(gate, plane % channels)).map(over_lanes)
        })
        .collect();
    [0, 1].map(|which| over_planes(planes.iter().map(|sums| sums[which]), channels))
}

/// The sum of the lanes.
pub(super) fn over_lanes(lanes: Line) -> f64 {
    lanes.iter().map(|&sum| f64::from(sum)).sum()
}

/// The sum of each channel, from those of its planes.
pub(super) fn over_planes(planes: impl Iterator<Item = f64>, channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for (plane, sum) in planes.enumerate() {
        sums[plane % channels] += sum;
    }
    sums.iter().map(|&sum| sum as f32).collect()
}

#[inline(always)]
fn sums_with<V: Lanes>(x: &[f32], y: &[f32], gate: Option<[f32; 2]>) -> [Line; 2] {
    match gate {
        Some(gate) => sums::<V, true>(x, y, gate),
        None => sums::<V, false>(x, y, [0.0; 2]),
    }
}
dispatch!(pub(super) sums_of_plane, sums_with, (x: &[f32], y: &[f32], gate: Option<[f32; 2]>) -> [Line; 2]);

#[inline(always)]
fn sums<V: Lanes, const GATED: bool>(x: &[f32], y: &[f32], gate: [f32; 2]) -> [Line; 2] {
    let mut sums = [V::splat(0.0); 2];
    let (lines, last) = x.as_chunks::<LANES>();
    let (lines_y, last_y) = y.as_chunks::<LANES>();
    for (x, y) in lines.iter().zip(lines_y) {
        let y = V::load(y);
        let x = gated::<V, GATED>(V::load(x), y, gate);
        sums = [sums[0].add(x), sums[1].add(x.mul(y))];
    }
    let mut sums = [sums[0].store(), sums[1].store()];
    for (lane, (&x, &y)) in last.iter().zip(last_y).enumerate() {
        let x = gated_number::<GATED>(x, y, gate);
        sums[0][lane] += x;
        sums[1][lane] += x * y;
    }
    sums
}

/// `g` where `gate[0] * x + gate[1]` is above 0, and 0 elsewhere.
#[inline(always)]
fn gated<V: Lanes, const GATED: bool>(g: V, x: V, [a, shift]: [f32; 2]) -> V {
    if GATED {
        g.gate(V::splat(a).mul(x).add(V::splat(shift)))
    } else {
        g
    }
}

/// `a[c] * x + b[c] * y + shift[c]` for each channel `c` of `x` and `y` `[n][channels][len]`, stored in `x`.
/// With a `gate`, `x` counts as in [`channel_sums`]. Returns the sum of each channel of the result, as
/// `channel_sums` would.
pub(in crate::network) fn channel_combine(
    x: &mut [f32],
    y: &[f32],
    [a, b, shift]: [&[f32]; 3],
    gate: Gate<'_>,
    len: usize,
) -> Vec<f32> {
    let channels = a.len();
    if len == 1 {
        return norm_columns::combine(x, y, [a, b, shift], gate);
    }
    let planes: Vec<f64> = (x.par_chunks_mut(len).zip(y.par_chunks(len)).enumerate())
        .with_min_len(PLANES)
        .map(|(plane, (x, y))| {
            let channel = plane % channels;
            let factors = [a[channel], b[channel], shift[channel]];
            over_lanes(combine_plane(x, y, factors, of_channel(gate, channel)))
        })
        .collect();
    over_planes(planes.into_iter(), channels)
}

#[inline(always)]
fn combine_with<V: Lanes>(
    x: &mut [f32],
    y: &[f32],
    factors: [f32; 3],
    gate: Option<[f32; 2]>,
) -> Line {
    match gate {
        Some(gate) => combine::<V, true>(x, y, factors, gate),
        None => combine::<V, false>(x, y, factors, [0.0; 2]),
    }
}
dispatch!(pub(super) combine_plane, combine_with, (x: &mut [f32], y: &[f32], factors: [f32; 3], gate: Option<[f32; 2]>) -> Line);

#[inline(always)]
fn combine<V: Lanes, const GATED: bool>(
    x: &mut [f32],
    y: &[f32],
    [a, b, shift]: [f32; 3],
    gate: [f32; 2],
) -> Line {
    let mut sums = V::splat(0.0);
    let factors = [V::splat(a), V::splat(b), V::splat(shift)];
    let (lines, last) = x.as_chunks_mut::<LANES>();
    let (lines_y, last_y) = y.as_chunks::<LANES>();
    for (to, y) in lines.iter_mut().zip(lines_y) {
        let y = V::load(y);
        let x = gated::<V, GATED>(V::load(to), y, gate);
        let mixed = factors[0].mul(x).add(factors[1].mul(y)).add(factors[2]);
        sums = sums.add(mixed);
        *lanes_at_mut(to, 0) = mixed.store();
    }
    let mut sums = sums.store();
    for (lane, (to, &y)) in last.iter_mut().zip(last_y).enumerate() {
        let x = gated_number::<GATED>(*to, y, gate);
        *to = a * x + b * y + shift;
        sums[lane] += *to;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::{bits, gate, numbers, relu};

    const CHANNELS: usize = 3;
    const FEATURES: usize = 37;

    /// Together they give what the plain definitions give one after the other, in planes with and without a rest.
    #[test]
    fn fused_operations_give_the_bits_of_separate_ones() {
        let [a, b, shift] = [5, 6, 7].map(|seed| numbers(CHANNELS, seed));
        for len in [1, 15, 16, 36, 100] {
            let (x, g) = (
                numbers(4 * CHANNELS * len, 0),
                numbers(4 * CHANNELS * len, 3),
            );
            let channel = |at: usize| at / len % CHANNELS;
            let scaled = |(at, x): (usize, &f32)| a[channel(at)] * x + shift[channel(at)];
            let y = relu(&x.iter().enumerate().map(scaled).collect::<Vec<_>>());
            assert_eq!(bits(&affine_relu(&x, [&a, &shift], len)), bits(&y), "{len}");

            let mut open = g.clone();
            gate(&mut open, &y);
            let apart = channel_sums(&open, &x, None, CHANNELS, len);
            let together = channel_sums(&g, &x, Some([&a, &shift]), CHANNELS, len);
            assert_eq!(
                apart.map(|sums| bits(&sums)),
                together.map(|sums| bits(&sums))
            );

            let mix = |(at, (g, x)): (usize, (&f32, &f32))| {
                let channel = channel(at);
                a[channel] * g + b[channel] * x + shift[channel]
            };
            let mixed: Vec<f32> = open.iter().zip(&x).enumerate().map(mix).collect();
            let mut found = g.clone();
            let factors = [&a[..], &b, &shift];
            let sums = channel_combine(&mut found, &x, factors, Some([&a, &shift]), len);
            assert_eq!(bits(&found), bits(&mixed));
            let [expected, _] = channel_sums(&mixed, &mixed, None, CHANNELS, len);
            assert_eq!(bits(&sums), bits(&expected));
        }
    }

    /// The sums are those of the definition.
    #[test]
    fn sums_are_exact_to_rounding() {
        let len = 50;
        let (x, y) = (
            numbers(2 * CHANNELS * len, 0),
            numbers(2 * CHANNELS * len, 3),
        );
        let found = channel_sums(&x, &y, None, CHANNELS, len);
        for channel in 0..CHANNELS {
            let here = |at: &usize| at / len % CHANNELS == channel;
            let of = |term: &dyn Fn(usize) -> f64| (0..x.len()).filter(here).map(term).sum::<f64>();
            let exact = [
                of(&|at| f64::from(x[at])),
                of(&|at| f64::from(x[at]) * f64::from(y[at])),
            ];
            for (found, exact) in found.iter().zip(exact) {
                assert!((f64::from(found[channel]) - exact).abs() < 1e-5);
            }
        }
    }

    /// The same numbers as planes, one by one.
    #[test]
    fn the_bits_are_those_of_planes_of_one_number() {
        let [x, y] = [0, 3].map(|seed| numbers(40 * FEATURES, seed));
        let [a, b, shift] = [5, 6, 7].map(|seed| numbers(FEATURES, seed));
        let pairs = || x.iter().zip(&y).enumerate();
        for gate in [None, Some([&b[..], &shift])] {
            let of = |at: usize| gate.map(|[a, b]| [a[at % FEATURES], b[at % FEATURES]]);
            let planes = pairs().map(|(at, (x, y))| sums_of_plane(&[*x], &[*y], of(at)));
            let planes: Vec<_> = planes.map(|sums| sums.map(over_lanes)).collect();
            let expected =
                [0, 1].map(|which| over_planes(planes.iter().map(|sums| sums[which]), FEATURES));
            let found = norm_columns::sums(&x, &y, gate, FEATURES);
            assert_eq!(
                found.each_ref().map(|x| bits(x)),
                expected.each_ref().map(|x| bits(x))
            );
            if gate.is_none() {
                assert_eq!(
                    bits(&norm_columns::column_sums(&x, FEATURES)),
                    bits(&expected[0])
                );
            }

            let mut mixed = x.clone();
            let planes = mixed.iter_mut().zip(&y).enumerate().map(|(at, (x, y))| {
                let factors = [&a, &b, &shift].map(|factor| factor[at % FEATURES]);
                let x = std::slice::from_mut(x);
                over_lanes(combine_plane(x, &[*y], factors, of(at)))
            });
            let expected = over_planes(planes, FEATURES);
            let mut found = x.clone();
            let sums = norm_columns::combine(&mut found, &y, [&a, &b, &shift], gate);
            assert_eq!(bits(&found), bits(&mixed));
            assert_eq!(bits(&sums), bits(&expected));
        }
        let mut scaled = x.clone();
        norm_columns::affine(&mut scaled, [&a, &shift]);
        let expected = pairs().map(|(at, (x, _))| {
            let mut y = [MaybeUninit::new(0.0)];
            affine_relu_of_plane(&[*x], a[at % FEATURES], shift[at % FEATURES], &mut y);
            // SAFETY: it was written.
            unsafe { y[0].assume_init() }
        });
        let expected: Vec<f32> = expected.collect();
        assert_eq!(
            bits(&norm_columns::affine_relu(&x, [&a, &shift])),
            bits(&expected)
        );
        assert_eq!(bits(&relu(&scaled)), bits(&expected));
    }

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let (x, y) = (numbers(100, 0), numbers(100, 3));
        for gate in [None, Some([0.7, -0.1])] {
            assert_eq!(sums_of_plane(&x, &y, gate), sums_with::<Line>(&x, &y, gate));
            let (mut best, mut plain) = (x.clone(), x.clone());
            let factors = [0.3, -0.8, 0.1];
            let sums = combine_plane(&mut best, &y, factors, gate);
            assert_eq!(sums, combine_with::<Line>(&mut plain, &y, factors, gate));
            assert_eq!(best, plain);
        }
    }
}
