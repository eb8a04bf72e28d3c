//! Operations on each number or channel separately.

use rayon::prelude::*;

use crate::network::simd::LANES;

/// Numbers that a thread processes at a time in elementwise operations.
const CHUNK: usize = 1 << 14;

/// max(x, 0); NaN stays NaN.
pub(in crate::network) fn relu(x: &[f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    let spare = &mut y.spare_capacity_mut()[..x.len()];
    spare
        .par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| {
            for (y, &x) in y.iter_mut().zip(x) {
                y.write(if x < 0.0 { 0.0 } else { x });
            }
        });
    // SAFETY: every number has been written.
    unsafe { y.set_len(x.len()) };
    y
}

/// Sets `g` to 0 where `x` is not above 0.
pub(in crate::network) fn gate(g: &mut [f32], x: &[f32]) {
    g.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(g, x)| {
            for (g, &x) in g.iter_mut().zip(x) {
                *g = if x > 0.0 { *g } else { 0.0 };
            }
        });
}

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

/// For each channel of `x` and `y` `[n][channels][len]`: the sum of `x` and of `x * y`. Summed in
/// 64 bits over planes in order, so that the number of threads has no effect.
pub(in crate::network) fn channel_sums(
    x: &[f32],
    y: &[f32],
    channels: usize,
    len: usize,
) -> [Vec<f32>; 2] {
    let planes: Vec<[f64; 2]> = x
        .par_chunks(len)
        .zip(y.par_chunks(len))
        .with_min_len(16)
        .map(|(x, y)| {
            let mut sums = [[0.0f32; LANES]; 2];
            let (xs, ys) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
            for (x, y) in xs.0.iter().zip(ys.0) {
                for lane in 0..LANES {
                    sums[0][lane] += x[lane];
                    sums[1][lane] += x[lane] * y[lane];
                }
            }
            for (lane, (x, y)) in xs.1.iter().zip(ys.1).enumerate() {
                sums[0][lane] += x;
                sums[1][lane] += x * y;
            }
            sums.map(|lanes| lanes.iter().map(|&sum| sum as f64).sum())
        })
        .collect();
    let mut sums = [vec![0.0; channels], vec![0.0; channels]];
    for (plane, [first, second]) in planes.iter().enumerate() {
        sums[0][plane % channels] += first;
        sums[1][plane % channels] += second;
    }
    sums.map(|sums| sums.iter().map(|&sum| sum as f32).collect())
}

/// `a[c] * x + b[c] * y + shift[c]` for each channel `c` of `x` and `y` `[n][channels][len]`,
/// stored in `x`.
pub(in crate::network) fn channel_combine(
    x: &mut [f32],
    y: Option<&[f32]>,
    [a, b, shift]: [&[f32]; 3],
    len: usize,
) {
    x.par_chunks_mut(len)
        .enumerate()
        .with_min_len(16)
        .for_each(|(plane, x)| {
            let channel = plane % a.len();
            let (a, shift) = (a[channel], shift[channel]);
            match y {
                None => x.iter_mut().for_each(|x| *x = a * *x + shift),
                Some(y) => {
                    let b = b[channel];
                    for (x, y) in x.iter_mut().zip(&y[plane * len..]) {
                        *x = a * *x + b * y + shift;
                    }
                }
            }
        });
}
