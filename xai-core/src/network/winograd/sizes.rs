//! The sizes of tiles and blocks, and the points.

/// Rows and columns of a tile of the output.
pub(in crate::network) const TILE: usize = 4;
/// Rows and columns of its input: the points at which polynomials are multiplied.
pub(super) const POINTS: usize = 6;
/// Products per tile and pair of channels.
pub(super) const PRODUCTS: usize = POINTS * POINTS;
/// Output channels of a tile of sums. Registers hold the tile with AVX-512, and parts of it otherwise; see
/// `add_products`.
pub(super) const OUT: usize = 8;
/// Output channels multiplied before they are transformed back.
pub(super) const OUTPUTS: usize = 64;
/// Vectors of Winograd's tiles in a tile of sums, and the tiles of a task: with 64 channels, its transformed inputs
/// and products and the weights all fit in a second-level cache of 2 MiB.
pub(super) const VECTORS: usize = 3;
/// How far ahead weights are prefetched, in numbers. Each block of tiles reads all of them.
pub(super) const AHEAD: usize = 1024;
/// The same on the way back, in squares of 8 x 8 weights.
pub(super) const SQUARES_AHEAD: usize = 8;

pub(super) const A: f64 = 2.0 / 3.0;
pub(super) const B: f64 = 1.5;
/// A constant of the weights' transform.
pub(super) const H: f64 = 1.0 / (2.0 * (B * B - A * A));
/// The index of the point 1 / p for each point p. The values of a rotated kernel are stored there.
pub(super) const TURNED: [usize; POINTS] = [5, 3, 4, 1, 2, 0];
