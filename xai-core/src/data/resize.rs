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
    vertical: Sums,
    horizontal: Sums,
}

impl Resizer {
    /// From `[rows, columns]` to `[rows, columns]`, neither with a 0.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self {
            vertical: Sums::new(from[0], to[0]),
            horizontal: Sums::new(from[1], to[1]),
        }
    }

    /// The image in the new shape. It stays within its own range of values.
    ///
    /// # Panics
    /// If the image is smaller than this was made for.
    pub fn resize(&self, image: ArrayView2<f64>) -> Array2<f64> {
        let image = image.as_standard_layout();
        let (low, high) = extremes(image.view());
        let mut resized = Array2::zeros((self.vertical.first.len(), self.horizontal.first.len()));
        let mut line = vec![0.0; image.ncols()];
        for (i, mut out) in resized.rows_mut().into_iter().enumerate() {
            line.fill(0.0);
            for (k, weight) in self.vertical.weights(i).iter().enumerate() {
                let row = image.row(self.vertical.first[i] + k);
                for (sum, value) in line.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
            let out = out.as_slice_mut().expect("a row of a new array");
            // Most sums are of few pixels; with their number known, the compiler unrolls them.
            match self.horizontal.taps {
                1 => self.horizontal.of::<1>(&line, out),
                2 => self.horizontal.of::<2>(&line, out),
                3 => self.horizontal.of::<3>(&line, out),
                4 => self.horizontal.of::<4>(&line, out),
                _ => self.horizontal.of_any(&line, out),
            }
            for value in out {
                *value = value.clamp(low, high);
            }
        }
        resized
    }
}

/// How the pixels of an axis become those of the result: weighted sums of equally many neighbours.
struct Sums {
    /// The first neighbour of each pixel of the result.
    first: Vec<usize>,
    /// How many neighbours there are.
    taps: usize,
    /// That many of each pixel, one after the other; some at the end may be 0.
    weights: Vec<f64>,
}

impl Sums {
    fn new(from: usize, to: usize) -> Self {
        let all = axis_weights(from, to);
        let taps = all.iter().map(|one| one.weights.len()).max().unwrap_or(0);
        let (mut first, mut weights) = (Vec::new(), Vec::new());
        for one in all {
            // At the end of the axis, zeros come before the weights rather than behind them.
            let start = one.first.min(from - taps);
            let mut padded = vec![0.0; taps];
            padded[one.first - start..][..one.weights.len()].copy_from_slice(&one.weights);
            first.push(start);
            weights.extend(padded);
        }
        Self {
            first,
            taps,
            weights,
        }
    }

    fn weights(&self, i: usize) -> &[f64] {
        &self.weights[i * self.taps..][..self.taps]
    }

    fn of<const TAPS: usize>(&self, line: &[f64], out: &mut [f64]) {
        let weights = self.weights.as_chunks::<TAPS>().0;
        for ((out, &first), weights) in out.iter_mut().zip(&self.first).zip(weights) {
            let near: &[f64; TAPS] = line[first..].first_chunk().expect("within the line");
            *out = (0..TAPS).map(|k| near[k] * weights[k]).sum();
        }
    }

    fn of_any(&self, line: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let near = &line[self.first[i]..];
            *out = near.iter().zip(self.weights(i)).map(|(v, w)| v * w).sum();
        }
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
