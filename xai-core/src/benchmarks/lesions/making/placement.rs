//! Puts lesions into a slice: their positions, their appearance and the ground truth.

use ndarray::{Array2, ArrayView2, Zip, s};

use crate::benchmarks::lesions::making::Lesion;
use crate::device::vectorised;
use crate::image::extremes;

/// After this many failed tries, the code checks whether any position is possible.
const TRIES_BEFORE_LOOKING: usize = 2_000;

/// The visible part of a lesion in an image: its patch, stretched so that its weakest pixel becomes
/// `weakest` and its strongest `strongest`, both in [0, 1].
pub fn stretched(lesion: &Lesion, weakest: f64, strongest: f64) -> Array2<f64> {
    let (low, high) = extremes(lesion.patch.view());
    (lesion.patch).mapv(|v| (v - low) / (high - low) * (strongest - weakest) + weakest)
}

/// Draws the upper left corner `[row, column]` of each patch's box, one patch after the other, from
/// the brain's pixels, until the box lies in the brain and covers no pixel of an earlier patch
/// (values above 0). `draw(n)` returns which of the brain's n pixels, counted row by row, is tried
/// next.
///
/// Returns `None` if a patch does not fit in `most_tries` draws.
pub fn positions(
    brain: ArrayView2<bool>,
    patches: &[ArrayView2<f64>],
    most_tries: usize,
    mut draw: impl FnMut(usize) -> usize,
) -> Option<Vec<[usize; 2]>> {
    // The number of brain pixels above each row, and the total.
    let mut above = vec![0];
    for row in brain.rows() {
        let inside = row.iter().filter(|&&inside| inside).count();
        above.push(above[above.len() - 1] + inside);
    }
    let pixels = above[above.len() - 1];
    if pixels == 0 {
        return None;
    }
    let pixel = |n: usize| {
        let row = above.partition_point(|&above| above <= n) - 1;
        let inside = brain.row(row).into_iter().enumerate();
        let mut inside = inside.filter(|&(_, &inside)| inside);
        let column = inside.nth(n - above[row]).map(|(column, _)| column);
        (row, column.expect("the row holds as many"))
    };
    let mut free = brain.to_owned();
    let mut corners = Vec::with_capacity(patches.len());
    for patch in patches {
        let (rows, columns) = patch.dim();
        let fits = |&(r, c): &(usize, usize)| {
            r + rows <= free.nrows()
                && c + columns <= free.ncols()
                && free
                    .slice(s![r..r + rows, c..c + columns])
                    .iter()
                    .all(|&free| free)
        };
        let mut tries = (0..most_tries).map(|_| pixel(draw(pixels)));
        let place = match tries.by_ref().take(TRIES_BEFORE_LOOKING).find(fits) {
            None if has_room(brain, fits) => tries.find(fits),
            place => place,
        };
        let (r, c) = place?;
        free.slice_mut(s![r..r + rows, c..c + columns])
            .zip_mut_with(patch, |free, &v| *free &= v == 0.0);
        corners.push([r, c]);
    }
    Some(corners)
}

/// Whether any pixel of the brain fits.
fn has_room(brain: ArrayView2<bool>, fits: impl Fn(&(usize, usize)) -> bool) -> bool {
    let mut pixels = brain.indexed_iter();
    pixels.any(|(pixel, &inside)| inside && fits(&pixel))
}

/// The patches at their corners on an image of zeros. Overlapping patches are added.
pub fn on_a_page<'a>(
    shape: [usize; 2],
    patches: impl IntoIterator<Item = ArrayView2<'a, f64>>,
    corners: &[[usize; 2]],
) -> Array2<f64> {
    let mut page = Array2::zeros(shape);
    for (patch, &[r, c]) in patches.into_iter().zip(corners) {
        let (rows, columns) = patch.dim();
        let mut place = page.slice_mut(s![r..r + rows, c..c + columns]);
        place += &patch;
    }
    page
}

/// The slice under a mask of lesions, with `patches` at their corners. A brain pixel b (above 0)
/// becomes 1 - (1 - b)(1 - mask), so lesions are bright. Pixels outside the brain stay 0. Patches
/// may overlap only where at most one of them is not 0.
pub fn blend<'a>(
    background: ArrayView2<f64>,
    patches: impl IntoIterator<Item = ArrayView2<'a, f64>>,
    corners: &[[usize; 2]],
) -> Array2<f64> {
    let mut image = background.as_standard_layout().into_owned();
    blend_nothing(image.as_slice_mut().expect("standard layout"));
    for (patch, &[r, c]) in patches.into_iter().zip(corners) {
        let (rows, columns) = patch.dim();
        let place = s![r..r + rows, c..c + columns];
        Zip::from(image.slice_mut(place))
            .and(background.slice(place))
            .and(patch)
            .for_each(|image, &b, &mask| {
                if mask > 0.0 {
                    *image = under(b, mask);
                }
            });
    }
    image
}

vectorised! {
    /// The result without a lesion, rounded in the same way as with one.
    fn blend_nothing(pixels: &mut [f64]) {
        for pixel in pixels {
            *pixel = under(*pixel, 0.0);
        }
    }
}

/// The value of `background` under a mask.
#[inline(always)]
fn under(background: f64, mask: f64) -> f64 {
    if background > 0.0 {
        1.0 - (1.0 - background) * (1.0 - mask)
    } else {
        0.0
    }
}
