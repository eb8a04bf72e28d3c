//! The way back through the pooling after a convolution.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::network::kernels::write_rows;
use crate::network::region::Region;

/// Sends each of `g`, for windows of 2 x 2 pixels, to its position in the window, within `region` of `x`. This is the
/// gradient of a pooling and of the ReLU before it: `places` are those of [`conv_relu`](super::conv_relu).
pub(in crate::network) fn unpool(
    g: &[f32],
    places: &[u8],
    region: &Region,
    channels: usize,
    x: &mut [f32],
) {
    let [h, w] = region.plane();
    let [half_h, half_w] = [h / 2, w / 2];
    x.par_chunks_mut(h * w)
        .enumerate()
        .with_min_len(16)
        .for_each(|(at, x)| {
            let image = at / channels % region.images();
            let (g, places) = (&g[at * half_h * half_w..], &places[at * half_h * half_w..]);
            for (row, x) in x.chunks_exact_mut(2 * w).enumerate() {
                let span = region.span(image, 2 * row);
                let (upper, lower) = x.split_at_mut(w);
                let (upper, lower) = (&mut upper[span.clone()], &mut lower[span.clone()]);
                let windows = row * half_w + span.start / 2..row * half_w + span.end / 2;
                let [upper, lower] = [upper, lower].map(|row| {
                    // SAFETY: only numbers are written.
                    unsafe { &mut *(std::ptr::from_mut(row) as *mut [MaybeUninit<f32>]) }
                });
                write_rows(&g[windows.clone()], &places[windows], upper, lower);
            }
            if h % 2 == 1 {
                x[(h - 1) * w..].fill(0.0);
            }
        });
}
