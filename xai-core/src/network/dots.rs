//! Dot products of many rows with many others: a tile of them at a time is held in registers.

use std::ops::Range;

use super::lanes::{LANES, Lanes, lanes_at};

/// Rows of the first matrix in a tile.
pub(super) const OUT: usize = 4;
/// Rows of the second matrix in a tile.
pub(super) const ROWS: usize = 6;

/// Adds to `sums[a * n + b]` the products of rows `a` of `first` and `b` of `second`, lane by lane,
/// at the columns `range`: of the first `outs` (at most [`OUT`]) and `rows` (at most `R`) rows.
/// Rows are `len` apart.
#[inline(always)]
pub(super) fn dot_tile<V: Lanes, const R: usize>(
    (first, outs): (&[f32], usize),
    (second, rows): (&[f32], usize),
    len: usize,
    range: Range<usize>,
    sums: &mut [[f32; LANES]],
    n: usize,
) {
    // Where there are fewer, the last ones are computed again and not kept.
    let (outs, rows) = (outs.min(OUT), rows.min(R));
    let mut tile = [[V::splat(0.0); R]; OUT];
    for out in 0..outs {
        for row in 0..rows {
            tile[out][row] = V::load(&sums[out * n + row]);
        }
    }
    let whole = range.len() - range.len() % LANES;
    let mut vectors = [V::splat(0.0); R];
    for at in range.clone().step_by(LANES) {
        let last = at == range.start + whole;
        for row in 0..R {
            let x = &second[row.min(rows - 1) * len..][..range.end];
            vectors[row] = if last {
                rest(&x[at..])
            } else {
                V::load(lanes_at(x, at))
            };
        }
        for out in 0..OUT {
            let w = &first[out.min(outs - 1) * len..][..range.end];
            let w = if last {
                rest(&w[at..])
            } else {
                V::load(lanes_at(w, at))
            };
            for row in 0..R {
                tile[out][row] = w.mul_add(vectors[row], tile[out][row]);
            }
        }
    }
    for out in 0..outs {
        for row in 0..rows {
            sums[out * n + row] = tile[out][row].store();
        }
    }
}

/// Fewer numbers than a vector has lanes; the others are 0.
#[inline(always)]
pub(super) fn rest<V: Lanes>(x: &[f32]) -> V {
    let mut lanes = [0.0; LANES];
    lanes[..x.len()].copy_from_slice(x);
    V::load(&lanes)
}
