//! A batch normalisation with the ReLU and the pooling of 2 x 2 pixels after it, and the way back.
//!
//! A plane passes through all of them before the next one, so that it is still in the cache. Every number is that of the
//! separate operations, bit for bit.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::PLANES;
use super::halves::{maxima_of_plane, unpool_plane};
use super::norm::{affine_relu_of_plane, combine_plane, over_lanes, over_planes, sums_of_plane};

/// The maximum of each window of 2 x 2 pixels of [`affine_relu`](super::affine_relu), and its position in the window (0 to 3, row
/// by row). Among equals, the first wins. NaN wins, as in torch. A last row or column that no window covers is left out.
pub(in crate::network) fn affine_relu_maxima(
    x: &[f32],
    [a, shift]: [&[f32]; 2],
    [h, w]: [usize; 2],
) -> (Vec<f32>, Vec<u8>) {
    let len = (h / 2) * (w / 2);
    let mut y = vec![0.0; x.len() / (h * w) * len];
    let mut places = vec![0; y.len()];
    y.par_chunks_mut(len)
        .zip(places.par_chunks_mut(len))
        .zip(x.par_chunks(h * w))
        .enumerate()
        .with_min_len(PLANES)
        .for_each_init(
            || Vec::with_capacity(h * w),
            |scaled, (at, ((y, places), x))| {
                let channel = at % a.len();
                let to = &mut scaled.spare_capacity_mut()[..h * w];
                affine_relu_of_plane(x, a[channel], shift[channel], to);
                // SAFETY: every number has been written.
                unsafe { scaled.set_len(h * w) };
                maxima_of_plane(scaled, w, y, places);
                scaled.clear();
            },
        );
    (y, places)
}

/// [`channel_sums`](super::channel_sums) of a gradient and of `x`, the input of [`affine_relu_maxima`]. The gradient is `g` at
/// `places` and 0 elsewhere, after the gate of the ReLU.
pub(in crate::network) fn unpooled_channel_sums(
    g: &[f32],
    places: &[u8],
    x: &[f32],
    [a, shift]: [&[f32]; 2],
    plane @ [h, w]: [usize; 2],
) -> [Vec<f32>; 2] {
    let len = (h / 2) * (w / 2);
    assert_eq!([g.len(), places.len()], [x.len() / (h * w) * len; 2]);
    let planes: Vec<[f64; 2]> = (x.par_chunks(h * w).enumerate())
        .zip(g.par_chunks(len).zip(places.par_chunks(len)))
        .with_min_len(PLANES)
        .map_init(
            || vec![MaybeUninit::uninit(); h * w],
            |unpooled, ((at, x), (g, places))| {
                let channel = at % a.len();
                let unpooled = unpool_plane(g, places, plane, unpooled);
                let gate = Some([a[channel], shift[channel]]);
                sums_of_plane(unpooled, x, gate).map(over_lanes)
            },
        )
        .collect();
    [0, 1].map(|which| over_planes(planes.iter().map(|sums| sums[which]), a.len()))
}

/// [`channel_combine`](super::channel_combine) of the same gradient and of `x`. Returns the result, and its sum over each channel.
pub(in crate::network) fn unpooled_channel_combine(
    g: &[f32],
    places: &[u8],
    x: &[f32],
    [a, b, shift]: [&[f32]; 3],
    gate: [&[f32]; 2],
    plane @ [h, w]: [usize; 2],
) -> (Vec<f32>, Vec<f32>) {
    let len = (h / 2) * (w / 2);
    assert_eq!([g.len(), places.len()], [x.len() / (h * w) * len; 2]);
    let mut y = Vec::with_capacity(x.len());
    let planes: Vec<f64> = y.spare_capacity_mut()[..x.len()]
        .par_chunks_mut(h * w)
        .zip(x.par_chunks(h * w))
        .enumerate()
        .zip(g.par_chunks(len).zip(places.par_chunks(len)))
        .with_min_len(PLANES)
        .map(|((at, (y, x)), (g, places))| {
            let channel = at % a.len();
            let factors = [a[channel], b[channel], shift[channel]];
            let gate = Some([gate[0][channel], gate[1][channel]]);
            over_lanes(combine_plane(
                unpool_plane(g, places, plane, y),
                x,
                factors,
                gate,
            ))
        })
        .collect();
    // SAFETY: `unpool_plane` has written every number.
    unsafe { y.set_len(x.len()) };
    (y, over_planes(planes.into_iter(), a.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::{
        affine_relu, bits, channel_combine, channel_sums, max_pool, max_unpool, numbers,
    };
    use crate::network::ops::Window;

    const CHANNELS: usize = 3;

    /// Planes with an odd side and of one window, equal numbers (after the ReLU), and NaN.
    #[test]
    fn fused_operations_give_the_bits_of_separate_ones() {
        let [a, b, shift] = [5, 6, 7].map(|seed| numbers(CHANNELS, seed));
        for plane @ [h, w] in [[2, 2], [2, 3], [3, 2], [6, 6], [12, 40], [7, 33], [34, 64]] {
            let len = h * w;
            let mut x = numbers(4 * CHANNELS * len, 0);
            x[5] = f32::NAN;
            let halves = Window::square(2);
            let pooled = [h / 2, w / 2];
            let y = affine_relu(&x, [&a, &shift], len);
            let (maxima, index) = max_pool(&y, plane, pooled, &halves);
            let (found, places) = affine_relu_maxima(&x, [&a, &shift], plane);
            assert_eq!(bits(&found), bits(&maxima), "{plane:?}");

            let g = numbers(maxima.len(), 3);
            let unpooled = max_unpool(&g, &index, plane, pooled, &halves);
            let gate = [&a[..], &shift];
            let apart = channel_sums(&unpooled, &x, Some(gate), CHANNELS, len);
            assert!(
                apart[0].iter().any(|&sum| sum != 0.0),
                "a gradient passes a gate"
            );
            let together = unpooled_channel_sums(&g, &places, &x, gate, plane);
            assert_eq!(
                apart.map(|sums| bits(&sums)),
                together.map(|sums| bits(&sums)),
                "{plane:?}"
            );

            let factors = [&a[..], &b, &shift];
            let mut mixed = unpooled;
            let sums = channel_combine(&mut mixed, &x, factors, Some(gate), len);
            let (found, sums_found) =
                unpooled_channel_combine(&g, &places, &x, factors, gate, plane);
            assert_eq!(bits(&found), bits(&mixed), "{plane:?}");
            assert_eq!(bits(&sums_found), bits(&sums), "{plane:?}");
        }
    }
}
