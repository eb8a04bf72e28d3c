//! Bilinear resizing, as `skimage.transform.resize(order=1)` with anti-aliasing where it shrinks.

use ndarray::{Array2, ArrayView2};

use super::filter::gaussian_weights;

/// Resizes `image` to `[rows, columns]`. The result stays within the image's own range of values.
///
/// Each axis that shrinks by a factor f > 1 is blurred beforehand with a Gaussian of standard
/// deviation (f - 1) / 2. Blur and interpolation are both linear and act on each axis alone, so
/// that a pixel of the result is one weighted sum a axis; only these sums are computed.
pub fn resize(image: ArrayView2<f64>, shape: [usize; 2]) -> Array2<f64> {
    let (rows, columns) = image.dim();
    let vertical = axis_weights(rows, shape[0]);
    let horizontal = axis_weights(columns, shape[1]);
    let image = image.as_standard_layout();
    let (low, high) = image
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
    let mut resized = Array2::zeros(shape);
    let mut line = vec![0.0; columns];
    for (taps, mut out) in vertical.iter().zip(resized.rows_mut()) {
        line.fill(0.0);
        for (k, weight) in taps.weights.iter().enumerate() {
            let row = image.row(taps.first + k);
            for (sum, value) in line.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        for (taps, out) in horizontal.iter().zip(&mut out) {
            let near = &line[taps.first..][..taps.weights.len()];
            let sum: f64 = near.iter().zip(&taps.weights).map(|(v, w)| v * w).sum();
            *out = sum.clamp(low, high);
        }
    }
    resized
}

/// The weights of the pixels `first..` of one axis in one pixel of the result.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

fn axis_weights(from: usize, to: usize) -> Vec<Taps> {
    let factor = from as f64 / to as f64;
    let blur = match factor > 1.0 {
        true => gaussian_weights((factor - 1.0) / 2.0),
        false => vec![1.0],
    };
    let radius = blur.len() as isize - 1;
    (0..to)
        .map(|i| {
            // Pixel centres at half-integers; beyond the border the image is mirrored at the
            // centre of its border pixel.
            let at = (i as f64 + 0.5) * factor - 0.5;
            let whole = at.floor();
            let mut dense = vec![0.0; from];
            for (neighbour, share) in [(0, 1.0 - (at - whole)), (1, at - whole)] {
                for tap in -radius..=radius {
                    let index = mirror(whole as isize + neighbour + tap, from);
                    dense[index] += share * blur[tap.unsigned_abs()];
                }
            }
            let first = dense
                .iter()
                .position(|&w| w != 0.0)
                .expect("weights sum to one");
            let last = dense
                .iter()
                .rposition(|&w| w != 0.0)
                .expect("weights sum to one");
            Taps {
                first,
                weights: dense[first..=last].to_vec(),
            }
        })
        .collect()
}

/// The index within `0..n` that `d c b | a b c d | c b a` shows at `i`.
fn mirror(i: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}
