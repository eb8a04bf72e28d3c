//! Gaussian blur, as in `scipy.ndimage.gaussian_filter` with its defaults (reflect, truncate 4).

use ndarray::{Array2, ArrayView2};

use crate::device::vectorised;

/// The weights of a Gaussian at distances 0, 1, …, `int(4 sigma + 0.5)`; over both sides they sum to 1.
pub fn gaussian_weights(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as usize;
    let mut weights: Vec<f64> = (0..=radius)
        .map(|x| (-0.5 / (sigma * sigma) * (x * x) as f64).exp())
        .collect();
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    weights.iter_mut().for_each(|w| *w /= total);
    weights
}

/// Blurs with standard deviation `sigma` (pixels, > 0). Beyond its border, the image is mirrored
/// with the border pixel repeated (`reflect`).
pub fn gaussian(image: ArrayView2<f64>, sigma: f64) -> Array2<f64> {
    let (rows, columns) = image.dim();
    let weights = gaussian_weights(sigma);
    let radius = weights.len() - 1;
    // First down the columns, then along the rows, and from the outer taps inwards. This is SciPy's
    // order, so sums round alike. Both loops run over whole rows, which the compiler vectorises.
    let image = image.as_standard_layout();
    let pixels = image.as_slice().expect("standard layout");
    let row = |i: isize| &pixels[reflect(i, rows) * columns..][..columns];
    let mut blurred = Array2::zeros((rows, columns));
    let mut padded = vec![0.0; columns + 2 * radius];
    let mut line = vec![0.0; columns];
    let reach = 2 * radius + 1;
    for (i, mut out) in blurred.rows_mut().into_iter().enumerate() {
        let rows: Vec<&[f64]> = (0..reach)
            .map(|j| row(i as isize + j as isize - radius as isize))
            .collect();
        weigh(&weights, &rows, &mut line);
        padded[radius..][..columns].copy_from_slice(&line);
        for beyond in (0..radius).chain(radius + columns..padded.len()) {
            padded[beyond] = line[reflect(beyond as isize - radius as isize, columns)];
        }
        let shifted: Vec<&[f64]> = (0..reach).map(|j| &padded[j..][..columns]).collect();
        weigh(
            &weights,
            &shifted,
            out.as_slice_mut().expect("a row of a new array"),
        );
    }
    blurred
}

vectorised! {
    /// The weighted sums across `rows`. The middle row has the first weight, and rows at equal
    /// distance share one.
    fn weigh(weights: &[f64], rows: &[&[f64]], sums: &mut [f64]) {
        // The number of sums computed at a time, in registers.
        const TOGETHER: usize = 16;
        let (blocks, rest) = sums.as_chunks_mut::<TOGETHER>();
        let start = TOGETHER * blocks.len();
        for (block, sums) in blocks.iter_mut().enumerate() {
            *sums = weigh_block(weights, rows, block * TOGETHER);
        }
        for (at, sum) in rest.iter_mut().enumerate() {
            [*sum] = weigh_block(weights, rows, start + at);
        }
    }
}

/// The sums at `start..start + N`.
#[inline(always)]
fn weigh_block<const N: usize>(weights: &[f64], rows: &[&[f64]], start: usize) -> [f64; N] {
    let radius = weights.len() - 1;
    let part = |row: usize| {
        rows[row][start..]
            .first_chunk::<N>()
            .expect("a row is as long")
    };
    let mut sums = part(radius).map(|centre| centre * weights[0]);
    for (j, weight) in weights.iter().enumerate().skip(1).rev() {
        let (before, after) = (part(radius - j), part(radius + j));
        for k in 0..N {
            sums[k] += (before[k] + after[k]) * weight;
        }
    }
    sums
}

/// The index within `0..n` at position `i` of `d c b a | a b c d | d c b a`.
fn reflect(i: isize, n: usize) -> usize {
    let i = i.rem_euclid(2 * n as isize) as usize;
    if i < n { i } else { 2 * n - 1 - i }
}
