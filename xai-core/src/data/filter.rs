//! Gaussian blur, as `scipy.ndimage.gaussian_filter` with its defaults (reflect, truncate 4).

use ndarray::{Array2, ArrayView2};

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

/// Blurs with standard deviation `sigma` (pixels, > 0). Beyond its border the image is mirrored
/// with the border pixel doubled (`reflect`).
pub fn gaussian(image: ArrayView2<f64>, sigma: f64) -> Array2<f64> {
    let (rows, columns) = image.dim();
    let weights = gaussian_weights(sigma);
    let radius = weights.len() - 1;
    // Down the columns first, then along the rows, and from the far taps inwards: SciPy's order,
    // so that sums round alike. Both loops run over whole rows, which the compiler vectorises.
    let image = image.as_standard_layout();
    let pixels = image.as_slice().expect("standard layout");
    let row = |i: isize| &pixels[reflect(i, rows) * columns..][..columns];
    let mut blurred = Array2::zeros((rows, columns));
    let mut padded = vec![0.0; columns + 2 * radius];
    let mut line = vec![0.0; columns];
    for (i, mut out) in blurred.rows_mut().into_iter().enumerate() {
        let i = i as isize;
        for (sum, centre) in line.iter_mut().zip(row(i)) {
            *sum = centre * weights[0];
        }
        for j in (1..=radius).rev() {
            let (before, after) = (row(i - j as isize), row(i + j as isize));
            add_pair(&mut line, before, after, weights[j]);
        }
        for (k, value) in padded.iter_mut().enumerate() {
            *value = line[reflect(k as isize - radius as isize, columns)];
        }
        let out = out.as_slice_mut().expect("a row of a new array");
        for (sum, centre) in out.iter_mut().zip(&padded[radius..]) {
            *sum = centre * weights[0];
        }
        for j in (1..=radius).rev() {
            add_pair(
                out,
                &padded[radius - j..],
                &padded[radius + j..],
                weights[j],
            );
        }
    }
    blurred
}

fn add_pair(sum: &mut [f64], before: &[f64], after: &[f64], weight: f64) {
    for ((sum, before), after) in sum.iter_mut().zip(before).zip(after) {
        *sum += (before + after) * weight;
    }
}

/// The index within `0..n` that `d c b a | a b c d | d c b a` shows at `i`.
fn reflect(i: isize, n: usize) -> usize {
    let i = i.rem_euclid(2 * n as isize) as usize;
    if i < n { i } else { 2 * n - 1 - i }
}
