//! Filters that serve as explanations without a network: edges and brightness.
//!
//! Each takes a grey image `[h, w]` and returns a heat map of the same size. It is non-negative
//! unless stated otherwise.

use ndarray::{Array2, ArrayView2};

/// A function that makes a heat map of an image `[h, w]`.
pub type Filter = fn(ArrayView2<f32>) -> Array2<f32>;

/// Magnitude of the Sobel gradient, sqrt(gx^2 + gy^2), with the kernels [-1, 0, 1] and [1, 2, 1] of
/// `scipy.ndimage.sobel`, not normalised. Borders are reflected.
pub fn sobel(image: ArrayView2<f32>) -> Array2<f32> {
    let mut gradient = sobel_along_rows(image);
    gradient.zip_mut_with(&sobel_along_rows(image.t()).t(), |gx, &gy| {
        *gx = gx.hypot(gy);
    });
    gradient
}

/// Absolute value of the 2-D Laplacian (kernel [1, -2, 1] along both axes), as
/// `scipy.ndimage.laplace`. Borders are reflected.
pub fn laplace(image: ArrayView2<f32>) -> Array2<f32> {
    signed_laplace(image).mapv_into(f32::abs)
}

/// The signed Sobel gradient along the rows only: `scipy.ndimage.sobel(image)`, which uses the last
/// axis by default.
pub fn sobel_along_rows(image: ArrayView2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(image.dim(), |(y, x)| {
        let at = |dy, dx| neighbour(&image, (y, x), (dy, dx));
        (at(-1, 1) + 2.0 * at(0, 1) + at(1, 1)) - (at(-1, -1) + 2.0 * at(0, -1) + at(1, -1))
    })
}

/// The Laplacian with its sign.
pub fn signed_laplace(image: ArrayView2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(image.dim(), |(y, x)| {
        let at = |dy, dx| neighbour(&image, (y, x), (dy, dx));
        at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1) - 4.0 * at(0, 0)
    })
}

/// The image itself: bright means relevant.
pub fn intensity(image: ArrayView2<f32>) -> Array2<f32> {
    image.mapv(f32::abs)
}

/// The pixel at an offset of at most one. SciPy's "reflect" (d c b a | a b c d) then repeats the
/// border pixel, which equals clamping the index.
fn neighbour(image: &ArrayView2<f32>, (y, x): (usize, usize), (dy, dx): (isize, isize)) -> f32 {
    let clamp = |i: usize, d: isize, n: usize| i.saturating_add_signed(d).min(n - 1);
    image[[clamp(y, dy, image.nrows()), clamp(x, dx, image.ncols())]]
}
