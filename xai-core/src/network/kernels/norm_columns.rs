//! The operations of [`norm`](super::norm) for planes of one number, as after a fully connected layer: `[n][channels]`.
//!
//! The numbers of a row are side by side in memory, so channels are the inner loop. There are too few numbers for several
//! threads. All bits are those of the same operation on planes.

use super::norm::{Gate, gated_number};

pub(super) fn affine_relu(x: &[f32], [a, shift]: [&[f32]; 2]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for x in x.chunks_exact(a.len()) {
        let factors = a.iter().zip(shift);
        y.extend(x.iter().zip(factors).map(|(x, (a, shift))| {
            let y = a * x + shift;
            if y < 0.0 { 0.0 } else { y }
        }));
    }
    y
}

pub(super) fn sums(x: &[f32], y: &[f32], gate: Gate<'_>, channels: usize) -> [Vec<f32>; 2] {
    let mut sums = vec![[0.0; 2]; channels];
    let rows = x.chunks_exact(channels).zip(y.chunks_exact(channels));
    match gate {
        Some([a, shift]) => {
            for (x, y) in rows {
                let factors = a.iter().zip(shift);
                let numbers = x.iter().zip(y).zip(factors);
                for (sums, ((x, y), (a, shift))) in sums.iter_mut().zip(numbers) {
                    let x = gated_number::<true>(*x, *y, [*a, *shift]);
                    *sums = [sums[0] + f64::from(x), sums[1] + f64::from(x * y)];
                }
            }
        }
        None => {
            for (x, y) in rows {
                for (sums, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                    *sums = [sums[0] + f64::from(*x), sums[1] + f64::from(x * y)];
                }
            }
        }
    }
    [0, 1].map(|which| sums.iter().map(|sums| sums[which] as f32).collect())
}

/// The first result of [`sums`] without a gate.
pub(in crate::network) fn column_sums(x: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for row in x.chunks_exact(channels) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    sums.iter().map(|&sum| sum as f32).collect()
}

pub(super) fn combine(
    x: &mut [f32],
    y: &[f32],
    [a, b, shift]: [&[f32]; 3],
    gate: Gate<'_>,
) -> Vec<f32> {
    let channels = a.len();
    let rows = x.chunks_exact_mut(channels).zip(y.chunks_exact(channels));
    if let Some([factor, add]) = gate {
        for (x, y) in rows {
            for channel in 0..channels {
                let gate = [factor[channel], add[channel]];
                let g = gated_number::<true>(x[channel], y[channel], gate);
                x[channel] = a[channel] * g + b[channel] * y[channel] + shift[channel];
            }
        }
    } else {
        for (x, y) in rows {
            for channel in 0..channels {
                x[channel] = a[channel] * x[channel] + b[channel] * y[channel] + shift[channel];
            }
        }
    }
    column_sums(x, channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::norm::{combine_plane, over_lanes, over_planes, sums_of_plane};
    use crate::network::kernels::numbers;

    const CHANNELS: usize = 37;

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn the_bits_are_those_of_planes_of_one_number() {
        let [x, y] = [0, 3].map(|seed| numbers(40 * CHANNELS, seed));
        let [a, b, shift] = [5, 6, 7].map(|seed| numbers(CHANNELS, seed));
        let numbers = || x.iter().zip(&y).enumerate();
        for gate in [None, Some([&b[..], &shift])] {
            let of = |at: usize| gate.map(|[a, b]| [a[at % CHANNELS], b[at % CHANNELS]]);
            let planes = numbers().map(|(at, (x, y))| sums_of_plane(&[*x], &[*y], of(at)));
            let planes: Vec<_> = planes.map(|sums| sums.map(over_lanes)).collect();
            let expected =
                [0, 1].map(|which| over_planes(planes.iter().map(|sums| sums[which]), CHANNELS));
            let found = sums(&x, &y, gate, CHANNELS);
            assert_eq!(
                found.each_ref().map(|x| bits(x)),
                expected.each_ref().map(|x| bits(x))
            );
            if gate.is_none() {
                assert_eq!(bits(&column_sums(&x, CHANNELS)), bits(&expected[0]));
            }

            let mut mixed = x.clone();
            let planes = mixed.iter_mut().zip(&y).enumerate().map(|(at, (x, y))| {
                let factors = [&a, &b, &shift].map(|factor| factor[at % CHANNELS]);
                let x = std::slice::from_mut(x);
                over_lanes(combine_plane(x, &[*y], factors, of(at)))
            });
            let expected = over_planes(planes, CHANNELS);
            let mut found = x.clone();
            let sums = combine(&mut found, &y, [&a, &b, &shift], gate);
            assert_eq!(bits(&found), bits(&mixed));
            assert_eq!(bits(&sums), bits(&expected));
        }
    }
}
