//! The way back through the pooling after a convolution.

use rayon::prelude::*;

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
                let (upper, last_up) = upper.as_chunks_mut::<2>();
                let (lower, last_low) = lower.as_chunks_mut::<2>();
                let pixels = upper.iter_mut().zip(lower);
                let from = g[windows.clone()].iter().zip(&places[windows]);
                for ((upper, lower), (&g, &place)) in pixels.zip(from) {
                    let at = |here: u8| if place == here { g } else { 0.0 };
                    *upper = [at(0), at(1)];
                    *lower = [at(2), at(3)];
                }
                // Pixels that no window covers.
                last_up.fill(0.0);
                last_low.fill(0.0);
            }
            if h % 2 == 1 {
                x[(h - 1) * w..].fill(0.0);
            }
        });
}
