//! Bilinear resizing, as `skimage.transform.resize(order=1)` with anti-aliasing where it shrinks.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use crate::device::vectorised;
use crate::image::gaussian_weights;

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
    /// Of the image before.
    columns: usize,
    vertical: Sums,
    horizontal: Sums,
}

impl Resizer {
    /// From `[rows, columns]` to `[rows, columns]`, neither with a 0.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self {
            columns: from[1],
            vertical: Sums::new(from[0], to[0]),
            horizontal: Sums::new(from[1], to[1]),
        }
    }

    /// The image in the new shape. It stays within its own range of values.
    ///
    /// # Panics
    /// If the image is smaller than this was made for.
    pub fn resize(&self, image: ArrayView2<f64>) -> Array2<f64> {
        self.resize_as(image, |value| value)
    }

    /// [`resize`](Self::resize), and `number` of each value.
    ///
    /// # Panics
    /// If the image is smaller than this was made for.
    pub fn resize_as<T: Copy + Default>(
        &self,
        image: ArrayView2<f64>,
        number: impl Fn(f64) -> T,
    ) -> Array2<T> {
        let image = image.as_standard_layout();
        let pixels = image.as_slice().expect("standard layout");
        let (low, high) = extremes(image.view());
        let (rows, columns) = (self.vertical.first.len(), self.horizontal.first.len());
        let mut resized = Vec::with_capacity(rows * columns);
        let mut line = vec![0.0; self.columns];
        let mut sums = vec![0.0; columns];
        for i in 0..rows {
            let from = &pixels[self.vertical.first[i] * self.columns..];
            weigh_rows(self.vertical.weights(i), from, &mut line);
            self.horizontal.of(&line, 0..columns, &mut sums);
            clamp(&mut sums, low, high);
            resized.extend(sums.iter().map(|&sum| number(sum)));
        }
        Array2::from_shape_vec((rows, columns), resized).expect("rows of as many columns")
    }

    /// [`resize_as`](Self::resize_as) for a page of zeros that holds these patches at their corners `[row,
    /// column]`. They may overlap only where all but one are 0. Only what they touch is computed.
    ///
    /// # Panics
    /// If the page that this was made for does not hold a patch.
    pub fn resize_patches<T: Copy + Default>(
        &self,
        patches: &[(ArrayView2<f64>, [usize; 2])],
        number: impl Fn(f64) -> T,
    ) -> Array2<T> {
        let highest =
            |high: f64, (patch, _): &(ArrayView2<f64>, _)| high.max(extremes(patch.view()).1);
        let high = patches.iter().fold(0.0, highest);
        let mut resized = self.blank();
        let mut line = vec![0.0; self.columns];
        let mut sums = vec![0.0; self.horizontal.first.len()];
        for (i, out) in resized.rows_mut().into_iter().enumerate() {
            let first = self.vertical.first[i];
            // The columns in which something is.
            let mut touched: Option<Range<usize>> = None;
            for (patch, [top, left]) in patches {
                let columns = *left..left + patch.ncols();
                let mut seen = false;
                for (k, weight) in self.vertical.weights(i).iter().enumerate() {
                    let row = (first + k)
                        .checked_sub(*top)
                        .filter(|&row| row < patch.nrows());
                    if let Some(row) = row {
                        seen = true;
                        for (sum, value) in line[columns.clone()].iter_mut().zip(patch.row(row)) {
                            *sum += weight * value;
                        }
                    }
                }
                if seen {
                    let all = touched.get_or_insert(columns.clone());
                    *all = all.start.min(columns.start)..all.end.max(columns.end);
                }
            }
            if let Some(columns) = touched {
                let seen = self.horizontal.that_see(columns.clone());
                let sums = &mut sums[..seen.len()];
                self.horizontal.of(&line, seen.clone(), sums);
                for (out, sum) in out.into_iter().skip(seen.start).zip(sums) {
                    *out = number(sum.clamp(0.0, high));
                }
                line[columns].fill(0.0);
            }
        }
        resized
    }

    fn blank<T: Copy + Default>(&self) -> Array2<T> {
        let shape = (self.vertical.first.len(), self.horizontal.first.len());
        Array2::from_elem(shape, T::default())
    }
}

vectorised! {
    /// The weighted sum of the first rows of `image`, which are as long as `sums`.
    fn weigh_rows(weights: &[f64], image: &[f64], sums: &mut [f64]) {
        sums.fill(0.0);
        for (row, weight) in image.chunks_exact(sums.len()).zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
}

vectorised! {
    fn clamp(values: &mut [f64], low: f64, high: f64) {
        for value in values {
            *value = value.clamp(low, high);
        }
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

    /// Which pixels of the result have one of these among their neighbours.
    fn that_see(&self, pixels: Range<usize>) -> Range<usize> {
        let start = (self.first).partition_point(|&first| first + self.taps <= pixels.start);
        let end = (self.first).partition_point(|&first| first < pixels.end);
        start..end
    }

    /// These pixels of the result, from `line`.
    fn of(&self, line: &[f64], which: Range<usize>, out: &mut [f64]) {
        // Most sums are of few pixels; with their number known, the compiler unrolls them.
        match self.taps {
            1 => self.of_few::<1>(line, which, out),
            2 => self.of_few::<2>(line, which, out),
            3 => self.of_few::<3>(line, which, out),
            4 => self.of_few::<4>(line, which, out),
            _ => {
                for (i, out) in which.zip(out) {
                    let near = &line[self.first[i]..];
                    *out = near.iter().zip(self.weights(i)).map(|(v, w)| v * w).sum();
                }
            }
        }
    }

    fn of_few<const TAPS: usize>(&self, line: &[f64], which: Range<usize>, out: &mut [f64]) {
        let weights = &self.weights.as_chunks::<TAPS>().0[which.clone()];
        for ((out, &first), weights) in out.iter_mut().zip(&self.first[which]).zip(weights) {
            let near: &[f64; TAPS] = line[first..].first_chunk().expect("within the line");
            *out = (0..TAPS).map(|k| near[k] * weights[k]).sum();
        }
    }
}

/// The lowest and the highest value of an image of finite values.
pub fn extremes(image: ArrayView2<f64>) -> (f64, f64) {
    let image = image.as_standard_layout();
    extremes_of(image.as_slice().expect("standard layout"))
}

vectorised! {
    fn extremes_of(pixels: &[f64]) -> (f64, f64) {
        // Many at a time, so that no comparison waits for the one before it.
        const TOGETHER: usize = 32;
        let (mut low, mut high) = ([f64::INFINITY; TOGETHER], [f64::NEG_INFINITY; TOGETHER]);
        let (parts, rest) = pixels.as_chunks::<TOGETHER>();
        for part in parts {
            for k in 0..TOGETHER {
                low[k] = if part[k] < low[k] { part[k] } else { low[k] };
                high[k] = if part[k] > high[k] { part[k] } else { high[k] };
            }
        }
        let (low, high) = (low.iter().chain(rest), high.iter().chain(rest));
        (
            low.copied().fold(f64::INFINITY, f64::min),
            high.copied().fold(f64::NEG_INFINITY, f64::max),
        )
    }
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
