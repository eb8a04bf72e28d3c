//! The sizes of panels.

use crate::network::lanes::LANES;
use crate::network::winograd::sizes::PRODUCTS;

/// Tiles that a task transforms.
pub(super) const CHUNK: usize = 16;
/// Numbers of [`CHUNK`] tiles and [`LANES`] channels at one point ...
pub(super) const PANEL: usize = CHUNK * LANES;
/// ... and at all points. (One panel stays empty: at a multiple of 4096 bytes, panels would compete for the same lines
/// of the cache.)
pub(super) const STEP: usize = (PRODUCTS + 1) * PANEL;

/// Makes a buffer at least so long.
pub(super) fn grow(numbers: &mut Vec<f32>, len: usize) {
    numbers.resize(numbers.len().max(len), 0.0);
}
