//! Bilinear resizing, as in `skimage.transform.resize(order=1)` with anti-aliasing if it shrinks.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use crate::device::vectorised;
use crate::image::gaussian_weights;

/// Resizes `image` to `[rows, columns]`. For many images of one shape, create a [`Resizer`] once.
pub fn resize(image: ArrayView2<f64>, shape: [usize; 2]) -> Array2<f64> {
    Resizer::new([image.nrows(), image.ncols()], shape).resize(image)
}

/// Resizes images of one shape to another shape.
///
/// Each axis that shrinks by a factor f > 1 is first blurred with a Gaussian of standard deviation
/// (f - 1) / 2. Blur and interpolation are linear and act on each axis separately. A pixel of the
/// result is therefore one weighted sum per axis, and only these sums are computed.
pub struct Resizer {
    /// Of the input image.
    columns: usize,
    vertical: Sums,
    horizontal: Sums,
}

impl Resizer {
    /// From `[rows, columns]` to `[rows, columns]`. All must be above 0.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self {
            columns: from[1],
            vertical: Sums::new(from[0], to[0]),
            horizontal: Sums::new(from[1], to[1]),
        }
    }

    /// The image in the new shape. Values stay within the image's range.
    ///
    /// # Panics
    /// If the image is smaller than the input shape.
    pub fn resize(&self, image: ArrayView2<f64>) -> Array2<f64> {
        self.resize_as(image, |value| value)
    }

    /// As [`resize`](Self::resize), with `number` applied to each value.
    ///
    /// # Panics
    /// If the image is smaller than the input shape.
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

    /// As [`resize_as`](Self::resize_as), for an image of zeros that holds these patches at their
    /// corners `[row, column]`. They may overlap only where at most one is not 0. Only the pixels
    /// that they affect are computed.
    ///
    /// # Panics
    /// If a patch does not fit into the input shape.
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
            // The range of columns that are not empty.
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
    /// The weighted sum of the first rows of `image`, which have the length of `sums`.
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

/// How the pixels of an axis are mapped to those of the result: weighted sums of a fixed number of
/// neighbours.
struct Sums {
    /// The first neighbour of each pixel of the result.
    first: Vec<usize>,
    /// The number of neighbours.
    taps: usize,
    /// The weights of each pixel's neighbours, one pixel after the other. The last ones may be 0.
    weights: Vec<f64>,
}

impl Sums {
    fn new(from: usize, to: usize) -> Self {
        let all = axis_weights(from, to);
        let taps = all.iter().map(|one| one.weights.len()).max().unwrap_or(0);
        let (mut first, mut weights) = (Vec::new(), Vec::new());
        for one in all {
            // At the end of the axis, zeros come before the weights instead of after them.
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

    /// The pixels of the result that have one of these pixels among their neighbours.
    fn that_see(&self, pixels: Range<usize>) -> Range<usize> {
        let start = (self.first).partition_point(|&first| first + self.taps <= pixels.start);
        let end = (self.first).partition_point(|&first| first < pixels.end);
        start..end
    }

    /// Computes these pixels of the result from `line`.
    fn of(&self, line: &[f64], which: Range<usize>, out: &mut [f64]) {
        // Most sums have few pixels. With a constant number, the compiler unrolls them.
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

/// The smallest and the largest value of an image. All values must be finite.
pub fn extremes(image: ArrayView2<f64>) -> (f64, f64) {
    let image = image.as_standard_layout();
    extremes_of(image.as_slice().expect("standard layout"))
}

vectorised! {
    fn extremes_of(pixels: &[f64]) -> (f64, f64) {
        // Many at a time, so that no comparison waits for the previous one.
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

/// The weights of the pixels `first..` of one axis for one pixel of the result.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

fn axis_weights(from: usize, to: usize) -> Vec<Taps> {
    let factor = from as f64 / to as f64;
    let blur = if factor > 1.0 {
        gaussian_weights((factor - 1.0) / 2.0)
    } else {
        vec![1.0]
    };
    let radius = blur.len() as isize - 1;
    (0..to)
        .map(|i| {
            // Pixel centres are at half-integers. Beyond the border, the image is mirrored at the
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

/// The index within `0..n` at position `i` of `d c b | a b c d | c b a`.
fn mirror(i: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}
