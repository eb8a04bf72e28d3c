//! Bilinear resizing, as `skimage.transform.resize(order=1)` with anti-aliasing where it shrinks.

use ndarray::{Array2, ArrayView2};

use super::filter::gaussian_weights;

/// Resizes `image` to `[rows, columns]`; for many images of one shape, make a [`Resizer`] once.
pub fn resize(image: ArrayView2<f64>, shape: [usize; 2]) -> Array2<f64> {
    Resizer::new([image.nrows(), image.ncols()], shape).resize(image)
}

/// Resizes images of one shape to another shape.
///
/// Each axis that shrinks by a factor f > 1 is blurred beforehand with a Gaussian of standard
/// deviation (f - 1) / 2. Blur and interpolation are both linear and act on each axis alone, so
/// that a pixel of the result is one weighted sum a axis; only these sums are computed.
pub struct Resizer {
    vertical: Vec<Taps>,
    horizontal: Vec<Taps>,
}

impl Resizer {
    /// From `[rows, columns]` to `[rows, columns]`, neither with a 0.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self {
            vertical: axis_weights(from[0], to[0]),
            horizontal: axis_weights(from[1], to[1]),
        }
    }

    /// The image in the new shape. It stays within its own range of values.
    ///
    /// # Panics
    /// If the image is smaller than this was made for.
    pub fn resize(&self, image: ArrayView2<f64>) -> Array2<f64> {
        let image = image.as_standard_layout();
        let (low, high) = extremes(image.view());
        let mut resized = Array2::zeros((self.vertical.len(), self.horizontal.len()));
        let mut line = vec![0.0; image.ncols()];
        for (taps, mut out) in self.vertical.iter().zip(resized.rows_mut()) {
            line.fill(0.0);
            for (k, weight) in taps.weights.iter().enumerate() {
                let row = image.row(taps.first + k);
                for (sum, value) in line.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
            for (taps, out) in self.horizontal.iter().zip(&mut out) {
                let near = &line[taps.first..][..taps.weights.len()];
                let sum: f64 = near.iter().zip(&taps.weights).map(|(v, w)| v * w).sum();
                *out = sum.clamp(low, high);
            }
        }
        resized
    }
}

/// The lowest and the highest value of an image of finite values.
pub fn extremes(image: ArrayView2<f64>) -> (f64, f64) {
    let image = image.as_standard_layout();
    let pixels = image.as_slice().expect("standard layout");
    // Eight at a time, so that no comparison waits for the one before it.
    let (mut low, mut high) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    for part in pixels.chunks(8) {
        for ((&v, low), high) in part.iter().zip(&mut low).zip(&mut high) {
            *low = if v < *low { v } else { *low };
            *high = if v > *high { v } else { *high };
        }
    }
    (
        low.into_iter().fold(f64::INFINITY, f64::min),
        high.into_iter().fold(f64::NEG_INFINITY, f64::max),
    )
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
