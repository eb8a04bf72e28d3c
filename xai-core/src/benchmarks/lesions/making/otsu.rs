//! Otsu's threshold, as in `skimage.filters.threshold_otsu` with 256 bins.

use ndarray::Array2;

use crate::image::extremes;

const BINS: usize = 256;

/// The centre of the histogram bin that best separates the pixels into a dark and a bright class
/// (largest variance between the classes; Otsu, IEEE Trans. SMC 9, 1979). The bright class lies
/// above it.
///
/// For an image of one value, that value. The image must be finite and not empty.
pub fn threshold(image: &Array2<f64>) -> f64 {
    let (low, high) = extremes(image.view());
    if low == high {
        return low;
    }
    let step = (high - low) / BINS as f64;
    let mut edges: Vec<f64> = (0..=BINS).map(|i| i as f64 * step + low).collect();
    edges[BINS] = high;
    let counts = histogram(image, &edges);
    let centres: Vec<f64> = edges.windows(2).map(|e| (e[1] + e[0]) / 2.0).collect();

    // Number of pixels and sum of their grey values, at or below bin i, and at or above it.
    let (mut below, mut above) = ([(0.0, 0.0); BINS], [(0.0, 0.0); BINS]);
    let (mut pixels, mut greys) = (0.0, 0.0);
    for i in 0..BINS {
        pixels += counts[i];
        greys += counts[i] * centres[i];
        below[i] = (pixels, greys);
    }
    (pixels, greys) = (0.0, 0.0);
    for i in (0..BINS).rev() {
        pixels += counts[i];
        greys += counts[i] * centres[i];
        above[i] = (pixels, greys);
    }
    let mut best = (f64::NEG_INFINITY, 0);
    for i in 0..BINS - 1 {
        let ((n1, s1), (n2, s2)) = (below[i], above[i + 1]);
        // scikit-image counts in single precision, so it rounds this product.
        let product = f64::from(n1 as f32 * n2 as f32);
        let variance = product * (s1 / n1 - s2 / n2).powi(2);
        if variance > best.0 {
            best = (variance, i);
        }
    }
    centres[best.1]
}

/// Number of pixels in each bin. A bin includes its lower edge. The last bin also includes its
/// upper edge.
fn histogram(image: &Array2<f64>, edges: &[f64]) -> [f64; BINS] {
    let low = edges[0];
    let bins_a_unit = BINS as f64 / (edges[BINS] - low);
    let mut counts = [0_u32; BINS];
    for &value in image {
        let mut bin = (((value - low) * bins_a_unit) as usize).min(BINS - 1);
        // Rounding may put a value on an edge into the neighbouring bin.
        if value < edges[bin] {
            bin -= 1;
        } else if value >= edges[bin + 1] && bin != BINS - 1 {
            bin += 1;
        }
        counts[bin] += 1;
    }
    counts.map(f64::from)
}
