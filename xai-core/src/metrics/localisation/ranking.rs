//! Heat maps as rankings of pixels.

use std::cmp::Ordering;

use ndarray::ArrayView2;

/// Which pixels, in row-major order, are the `k` highest-valued ones (all if there are at most k).
///
/// Exactly k are taken. Among equal values, the first in row-major order (top left first) wins, as
/// in a stable sort. The values must be finite.
pub(crate) fn top(map: ArrayView2<f32>, k: usize) -> Vec<bool> {
    let mut pixels: Vec<(usize, f32)> = map.iter().copied().enumerate().collect();
    let k = k.min(pixels.len());
    if 0 < k && k < pixels.len() {
        // Only the set of the first k matters, not their order. This takes linear time.
        pixels.select_nth_unstable_by(k - 1, |a, b| descending(a.1, b.1).then(a.0.cmp(&b.0)));
    }
    let mut chosen = vec![false; pixels.len()];
    for &(place, _) in &pixels[..k] {
        chosen[place] = true;
    }
    chosen
}

/// How many of the `k` highest-valued pixels lie in the ground truth.
pub(crate) fn hits(map: ArrayView2<f32>, truth: ArrayView2<bool>, k: usize) -> usize {
    let both = |(top, inside): &(bool, &bool)| *top && **inside;
    top(map, k).into_iter().zip(&truth).filter(both).count()
}

/// Pixels with the same value.
pub(crate) struct Tie {
    /// The number in the ground truth.
    pub inside: usize,
    /// The number outside it.
    pub outside: usize,
}

/// The groups of pixels of equal value, highest value first. The values must be finite.
pub(crate) fn ties(map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Vec<Tie> {
    let mut pixels: Vec<(f32, bool)> = map.iter().copied().zip(truth.iter().copied()).collect();
    pixels.sort_unstable_by(|a, b| descending(a.0, b.0));
    let count = |tie: &[(f32, bool)]| {
        let inside = tie.iter().filter(|(_, inside)| *inside).count();
        let outside = tie.len() - inside;
        Tie { inside, outside }
    };
    pixels.chunk_by(|a, b| a.0 == b.0).map(count).collect()
}

/// The number of pixels in the ground truth.
pub(crate) fn size(truth: &ArrayView2<bool>) -> usize {
    truth.iter().filter(|&&inside| inside).count()
}

/// `total_cmp` would order -0 below 0. The values are finite, so they always compare.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}
