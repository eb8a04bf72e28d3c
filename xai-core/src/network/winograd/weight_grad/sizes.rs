//! The sizes of panels.

use crate::network::simd::LANES;
use crate::network::winograd::sizes::PRODUCTS;

/// Tiles that a task transforms.
pub(super) const CHUNK: usize = 16;
/// Numbers of [`CHUNK`] tiles and [`LANES`] channels at one point ...
pub(super) const PANEL: usize = CHUNK * LANES;
/// Numbers at all points. (One panel stays empty: at a multiple of 4096 bytes, panels would compete
/// for the same cache lines.)
pub(super) const STEP: usize = (PRODUCTS + 1) * PANEL;
