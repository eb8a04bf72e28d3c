//! Explanations that know no network: what an edge filter or the brightness alone would score.
//!
//! Each takes a grey image `[h, w]` and gives a non-negative heat map of the same size. They are the
//! corrected baselines: the public code filters along one axis only, signed, and its published
//! Sobel results are the Laplace results (defects D4 and D5); it has no raw intensity (D9).
//! [`baselines`] gives those, too.

use ndarray::{Array2, ArrayView2};

use crate::benchmark::{Defect, Defects};

/// What makes a heat map of an image `[h, w]`.
pub type Filter = fn(ArrayView2<f32>) -> Array2<f32>;

/// The baselines' names and filters, with the defects D4, D5 and D9 of the public code if they are in
/// the set.
///
/// Filters with D5 keep their sign. Score their maps as they are: [`combine`](super::combine) would
/// take absolute values, which the public code did for networks' explanations only.
pub fn baselines(defects: Defects) -> Vec<(&'static str, Filter)> {
    let [mut sobel, laplace]: [Filter; 2] = match defects.has(Defect::D5) {
        true => [sobel_as_published, laplace_as_published],
        false => [sobel, laplace],
    };
    if defects.has(Defect::D4) {
        sobel = laplace;
    }
    let mut baselines = vec![("sobel", sobel), ("laplace", laplace)];
    if !defects.has(Defect::D9) {
        baselines.push(("intensity", intensity));
    }
    baselines
}

/// Magnitude of the Sobel gradient, sqrt(gx^2 + gy^2), with the kernels [-1, 0, 1] and [1, 2, 1] of
/// `scipy.ndimage.sobel`, not normalised. Borders are reflected.
pub fn sobel(image: ArrayView2<f32>) -> Array2<f32> {
    let mut gradient = sobel_as_published(image);
    gradient.zip_mut_with(&sobel_as_published(image.t()).t(), |gx, &gy| {
        *gx = gx.hypot(gy);
    });
    gradient
}

/// Absolute value of the 2-D Laplacian (kernel [1, -2, 1] along both axes), as
/// `scipy.ndimage.laplace`. Borders are reflected.
pub fn laplace(image: ArrayView2<f32>) -> Array2<f32> {
    laplace_as_published(image).mapv_into(f32::abs)
}

/// Signed, and along the rows alone (D5): `scipy.ndimage.sobel(image)`, whose default is the last axis.
/// The public code has three equal channels as the first axis, which multiplies this by 4.
fn sobel_as_published(image: ArrayView2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(image.dim(), |(y, x)| {
        let at = |dy, dx| neighbour(&image, (y, x), (dy, dx));
        (at(-1, 1) + 2.0 * at(0, 1) + at(1, 1)) - (at(-1, -1) + 2.0 * at(0, -1) + at(1, -1))
    })
}

/// Signed (D5). Over three equal channels the public code's third derivative is 0.
fn laplace_as_published(image: ArrayView2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(image.dim(), |(y, x)| {
        let at = |dy, dx| neighbour(&image, (y, x), (dy, dx));
        at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1) - 4.0 * at(0, 0)
    })
}

/// The image itself: bright means relevant.
pub fn intensity(image: ArrayView2<f32>) -> Array2<f32> {
    image.mapv(f32::abs)
}

/// The pixel at an offset of at most one. There, SciPy's "reflect" (d c b a | a b c d) repeats the
/// border pixel, which is to clamp the index.
fn neighbour(image: &ArrayView2<f32>, (y, x): (usize, usize), (dy, dx): (isize, isize)) -> f32 {
    let clamp = |i: usize, d: isize, n: usize| i.saturating_add_signed(d).min(n - 1);
    image[[clamp(y, dy, image.nrows()), clamp(x, dx, image.ncols())]]
}
