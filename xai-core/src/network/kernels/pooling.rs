//! Maximum pooling and its gradient.

use rayon::prelude::*;

use super::{PLANES, halves};
use crate::network::ops::Window;

/// The maximum of each window of `plane`-sized images, and its index in the plane. Among equals,
/// the first in row-major order wins. NaN wins, as in torch. Windows extend over the border by
/// `padding`.
pub(in crate::network) fn max_pool(
    x: &[f32],
    plane @ [h, w]: [usize; 2],
    out_plane @ [out_h, out_w]: [usize; 2],
    window: &Window,
) -> (Vec<f32>, Vec<i32>) {
    if *window == Window::square(2) {
        return halves::max_pool(x, plane);
    }
    let planes = x.len() / (h * w);
    let mut y = vec![0.0; planes * out_h * out_w];
    let mut index = vec![0; y.len()];
    y.par_chunks_mut(out_h * out_w)
        .zip(index.par_chunks_mut(out_h * out_w))
        .zip(x.par_chunks(h * w))
        .with_min_len(PLANES)
        .for_each(|((y, index), x)| pool_plane(x, plane, out_plane, window, y, index));
    (y, index)
}

fn pool_plane(
    x: &[f32],
    [h, w]: [usize; 2],
    [out_h, out_w]: [usize; 2],
    window: &Window,
    y: &mut [f32],
    index: &mut [i32],
) {
    let better = |a: f32, b: f32| (b > a) | (b.is_nan() & !a.is_nan());
    // Selections instead of branches, because the winner cannot be predicted.
    let first_max = |a: (f32, i32), b: (f32, i32)| if better(a.0, b.0) { b } else { a };
    let inside = |at: usize, axis: usize, limit: usize| {
        let start = at * window.stride[axis];
        let (end, pad) = (start + window.kernel[axis], window.padding[axis]);
        start.saturating_sub(pad)..(end.saturating_sub(pad)).min(limit)
    };
    for row in 0..out_h {
        let rows = inside(row, 0, h);
        for column in 0..out_w {
            let columns = inside(column, 1, w);
            let start = rows.start * w + columns.start;
            let mut best = (x[start], start as i32);
            for row in rows.clone() {
                let start = row * w + columns.start;
                for (at, &value) in x[start..row * w + columns.end].iter().enumerate() {
                    best = first_max(best, (value, (start + at) as i32));
                }
            }
            (y[row * out_w + column], index[row * out_w + column]) = best;
        }
    }
}

/// Adds each value of `g` at the position found by [`max_pool`].
pub(in crate::network) fn max_unpool(
    g: &[f32],
    index: &[i32],
    [h, w]: [usize; 2],
    [out_h, out_w]: [usize; 2],
    window: &Window,
) -> Vec<f32> {
    if *window == Window::square(2) {
        return halves::max_unpool(g, index, [h, w]);
    }
    let out_len = out_h * out_w;
    let mut x = vec![0.0; g.len() / out_len * h * w];
    x.par_chunks_mut(h * w)
        .zip(g.par_chunks(out_len).zip(index.par_chunks(out_len)))
        .with_min_len(PLANES)
        .for_each(|(x, (g, index))| {
            for (g, &index) in g.iter().zip(index) {
                x[index as usize] += g;
            }
        });
    x
}
