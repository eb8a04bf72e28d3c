//! Operations on each number or channel separately.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{PLANES, norm_columns};
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at_mut};

/// Numbers that a thread processes at a time in elementwise operations.
const CHUNK: usize = 1 << 14;

/// max(x, 0); NaN stays NaN.
pub(in crate::network) fn relu(x: &[f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    let spare = &mut y.spare_capacity_mut()[..x.len()];
    spare
        .par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| relu_of(x, y));
    // SAFETY: every number has been written.
    unsafe { y.set_len(x.len()) };
    y
}

#[inline(always)]
fn relu_with<V: Lanes>(x: &[f32], y: &mut [MaybeUninit<f32>]) {
    let ((x, last), (y, last_y)) = (x.as_chunks::<LANES>(), y.as_chunks_mut::<LANES>());
    for (y, x) in y.iter_mut().zip(x) {
        V::load(x).relu().write(y);
    }
    for (y, &x) in last_y.iter_mut().zip(last) {
        y.write(if x < 0.0 { 0.0 } else { x });
    }
}
dispatch!(relu_of, relu_with, (x: &[f32], y: &mut [MaybeUninit<f32>]) -> ());

/// Sets `g` to 0 where `x` is not above 0.
pub(in crate::network) fn gate(g: &mut [f32], x: &[f32]) {
    g.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(g, x)| gate_by(g, x));
}

#[inline(always)]
fn gate_with<V: Lanes>(g: &mut [f32], x: &[f32]) {
    let ((g, last), (x, last_x)) = (g.as_chunks_mut::<LANES>(), x.as_chunks::<LANES>());
    for (g, x) in g.iter_mut().zip(x) {
        *lanes_at_mut(g, 0) = V::load(g).gate(V::load(x)).store();
    }
    for (g, &x) in last.iter_mut().zip(last_x) {
        *g = if x > 0.0 { *g } else { 0.0 };
    }
}
dispatch!(gate_by, gate_with, (g: &mut [f32], x: &[f32]) -> ());

/// `start + alpha * way` for each of `alphas`. The alphas belong to the images in turn, and each
/// image has `len` numbers.
pub(in crate::network) fn along(
    start: &[f32],
    way: &[f32],
    alphas: &[f32],
    len: usize,
) -> Vec<f32> {
    let images = way.len() / len;
    let mut y = vec![0.0; alphas.len() * len];
    y.par_chunks_mut(len)
        .zip(alphas)
        .enumerate()
        .for_each(|(row, (y, &alpha))| {
            let image = row % images * len..(row % images + 1) * len;
            for ((y, start), way) in y.iter_mut().zip(&start[image.clone()]).zip(&way[image]) {
                *y = start + alpha * way;
            }
        });
    y
}

/// Adds the weighted parts to `sum`, in their order. Each part is as long as `sum`.
pub(in crate::network) fn add_weighted(sum: &mut [f32], parts: &[f32], weights: &[f32]) {
    let len = sum.len();
    sum.par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(chunk, sum)| {
            for (part, &weight) in parts.chunks_exact(len).zip(weights) {
                for (sum, part) in sum.iter_mut().zip(&part[chunk * CHUNK..]) {
                    *sum += weight * part;
                }
            }
        });
}

/// `a[c] * x + shift[c]` for each channel `c` of `x` `[n][channels][len]`, stored in `x`.
pub(in crate::network) fn channel_affine(x: &mut [f32], [a, shift]: [&[f32]; 2], len: usize) {
    if len == 1 {
        return norm_columns::affine(x, [a, shift]);
    }
    x.par_chunks_mut(len)
        .enumerate()
        .with_min_len(PLANES)
        .for_each(|(plane, x)| {
            let channel = plane % a.len();
            let (a, shift) = (a[channel], shift[channel]);
            x.iter_mut().for_each(|x| *x = a * *x + shift);
        });
}
