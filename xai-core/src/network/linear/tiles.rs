//! The rows of a batch in tiles.

/// Rows of a whole tile.
pub(super) const ROWS: usize = 8;
/// Outputs of a tile of the forward pass, and vectors of inputs in a tile of the gradient.
pub(super) const RUN: usize = 3;

/// The tiles that cover `n` rows: the first row of each, and its size. Only the last one can be smaller
/// than [`ROWS`]. It has 1, 2, 4 or 8 rows, and the missing ones count as zeros.
pub(super) fn tiles(n: usize) -> impl Iterator<Item = (usize, usize)> {
    let size = move |first: usize| (n - first).min(ROWS).next_power_of_two();
    (0..n).step_by(ROWS).map(move |first| (first, size(first)))
}

/// The rows of all tiles.
pub(super) fn tiled(n: usize) -> usize {
    tiles(n).map(|(_, size)| size).sum()
}
