//! Putting lesions into a slice: where they lie, what they look like, what is the truth.

use ndarray::{Array2, ArrayView2, s};
use rand::Rng;

use super::Lesion;

/// Draws of a position before a lesion counts as one that does not fit.
const MOST_TRIES: usize = 2_000;

/// Draws the upper left corner `[row, column]` of each lesion's box, one after the other, uniformly
/// from the brain's pixels, until the box lies in the brain and holds no pixel of an earlier lesion.
///
/// `None` if a lesion finds no place in 2,000 draws: the slice is too small for these lesions.
pub fn positions(
    brain: ArrayView2<bool>,
    lesions: &[&Lesion],
    rng: &mut impl Rng,
) -> Option<Vec<[usize; 2]>> {
    let pixels: Vec<(usize, usize)> = brain
        .indexed_iter()
        .filter(|&(_, &inside)| inside)
        .map(|(at, _)| at)
        .collect();
    if pixels.is_empty() {
        return None;
    }
    let mut free = brain.to_owned();
    let mut corners = Vec::with_capacity(lesions.len());
    for lesion in lesions {
        let (rows, columns) = lesion.patch.dim();
        let fits = |&(r, c): &(usize, usize)| {
            r + rows <= free.nrows()
                && c + columns <= free.ncols()
                && free
                    .slice(s![r..r + rows, c..c + columns])
                    .iter()
                    .all(|&free| free)
        };
        let (r, c) = (0..MOST_TRIES)
            .map(|_| pixels[rng.random_range(0..pixels.len())])
            .find(fits)?;
        free.slice_mut(s![r..r + rows, c..c + columns])
            .zip_mut_with(&lesion.patch, |free, &v| *free &= v == 0.0);
        corners.push([r, c]);
    }
    Some(corners)
}

/// The slice with its lesions, and the truth.
///
/// Each patch is stretched to [0, `strongest`]; a pixel b of the brain becomes 1 - (1 - b)(1 - patch),
/// so that lesions are bright; outside the brain all is 0. The truth is the sum of the patches as they
/// are (not stretched); a pixel belongs to a lesion where it is above 0.
pub fn blend(
    background: ArrayView2<f64>,
    lesions: &[&Lesion],
    corners: &[[usize; 2]],
    strongest: f64,
) -> (Array2<f64>, Array2<f64>) {
    let mut image = background.to_owned();
    let mut truth = Array2::zeros(background.raw_dim());
    for (lesion, &[r, c]) in lesions.iter().zip(corners) {
        let (rows, columns) = lesion.patch.dim();
        let place = s![r..r + rows, c..c + columns];
        let low = lesion.patch.iter().copied().fold(f64::INFINITY, f64::min);
        let high = lesion
            .patch
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        image
            .slice_mut(place)
            .zip_mut_with(&lesion.patch, |pixel, &value| {
                if *pixel > 0.0 {
                    let stretched = (value - low) / (high - low) * strongest;
                    *pixel = 1.0 - (1.0 - *pixel) * (1.0 - stretched);
                }
            });
        let mut truth = truth.slice_mut(place);
        truth += &lesion.patch;
    }
    (image, truth)
}
