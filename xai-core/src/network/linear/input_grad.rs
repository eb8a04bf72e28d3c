//! The gradient with respect to the input. Inputs are in the lanes of vectors.

use rayon::prelude::*;

use super::tiles::{ROWS, RUN, tiled, tiles};
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut, prefetch};

/// Outputs whose products are added before the next inputs and rows.
const CHUNK: usize = 32;
/// Columns of a tile.
const WIDTH: usize = RUN * LANES;
/// Sums of a task, which stay in the first-level cache.
const SUMS: usize = 8192;
/// Tiles side by side in a task at most, if there are few rows.
const TILES: usize = 20;

/// `g` `[n][outputs]` times `weight` `[outputs][inputs]`: `[n][inputs]`, the gradient of
/// [`forward`](super::forward) with respect to `x`.
pub(in crate::network) fn input_grad(
    g: &[f32],
    weight: &[f32],
    [n, inputs, outputs]: [usize; 3],
) -> Vec<f32> {
    let packed = pack(g, n, outputs);
    // A task computes some columns of all rows.
    let columns = (SUMS / WIDTH / n).clamp(1, TILES) * WIDTH;
    let mut x = vec![0.0; n * inputs];
    let mut parts: Vec<Vec<&mut [f32]>> = Vec::new();
    parts.resize_with(inputs.div_ceil(columns), || Vec::with_capacity(n));
    for x in x.chunks_exact_mut(inputs) {
        for (part, x) in parts.iter_mut().zip(x.chunks_mut(columns)) {
            part.push(x);
        }
    }
    parts.par_iter_mut().enumerate().for_each(|(part, x)| {
        let weight = &weight[part * columns..];
        sum_rows(&packed, weight, [inputs, outputs], x);
    });
    x
}

/// `g` `[n][outputs]` as `[tile of rows][output][row]`. Missing rows are zeros.
fn pack(g: &[f32], n: usize, outputs: usize) -> Vec<f32> {
    let mut packed = vec![0.0; tiled(n) * outputs];
    for (first, size) in tiles(n) {
        let tile = &mut packed[first * outputs..][..size * outputs];
        for row in first..n.min(first + size) {
            let to = tile[row - first..].iter_mut().step_by(size);
            let g = &g[row * outputs..][..outputs];
            to.zip(g).for_each(|(to, g)| *to = *g);
        }
    }
    packed
}

/// The columns of the rows `x` of `g` times `weight`. `g` is [`pack`]ed, and `weight` begins at the
/// first of the columns.
#[inline(always)]
fn sum_rows_with<V: Lanes>(
    g: &[f32],
    weight: &[f32],
    [inputs, outputs]: [usize; 2],
    x: &mut [&mut [f32]],
) {
    let (n, columns) = (x.len(), x[0].len());
    // The sums of a row are followed by those of the next.
    let pitch = columns.next_multiple_of(LANES);
    let mut sums = vec![0.0; tiled(n) * pitch];
    for first in (0..outputs).step_by(CHUNK) {
        let outs = CHUNK.min(outputs - first);
        let mut column = 0;
        while column < columns {
            let run = if columns - column < WIDTH { 1 } else { RUN };
            let end = columns.min(column + run * LANES);
            let weight = &weight[first * inputs..];
            for (row, size) in tiles(n) {
                let g = &g[row * outputs + first * size..][..outs * size];
                let sums = &mut sums[row * pitch..];
                let weight = Columns {
                    weight,
                    inputs,
                    column,
                    end,
                };
                match (size, run) {
                    (1, 1) => sum_tile::<V, 1, 1>(g, weight, sums, pitch),
                    (2, 1) => sum_tile::<V, 2, 1>(g, weight, sums, pitch),
                    (4, 1) => sum_tile::<V, 4, 1>(g, weight, sums, pitch),
                    (_, 1) => sum_tile::<V, ROWS, 1>(g, weight, sums, pitch),
                    (1, _) => sum_tile::<V, 1, RUN>(g, weight, sums, pitch),
                    (2, _) => sum_tile::<V, 2, RUN>(g, weight, sums, pitch),
                    (4, _) => sum_tile::<V, 4, RUN>(g, weight, sums, pitch),
                    _ => sum_tile::<V, ROWS, RUN>(g, weight, sums, pitch),
                }
            }
            column = end;
        }
    }
    for (x, sums) in x.iter_mut().zip(sums.chunks_exact(pitch)) {
        x.copy_from_slice(&sums[..columns]);
    }
}
dispatch!(sum_rows, sum_rows_with, (g: &[f32], weight: &[f32], shape: [usize; 2], x: &mut [&mut [f32]]) -> ());

/// The columns `column` to `end` of some rows of the weights.
#[derive(Clone, Copy)]
struct Columns<'a> {
    weight: &'a [f32],
    /// Numbers from a row to the next.
    inputs: usize,
    column: usize,
    end: usize,
}

/// Adds to `R` rows of `C` vectors of `sums`, which are `pitch` apart, the products of `g`
/// `[output][row]` and the columns.
#[inline(always)]
fn sum_tile<V: Lanes, const R: usize, const C: usize>(
    g: &[f32],
    Columns {
        weight,
        inputs,
        column,
        end,
    }: Columns,
    sums: &mut [f32],
    pitch: usize,
) {
    let mut tile = [[V::splat(0.0); C]; R];
    for row in 0..R {
        for at in 0..C {
            tile[row][at] = V::load(lanes_at(sums, row * pitch + column + at * LANES));
        }
    }
    // A loop of its own, because the weights come from memory; see `simd/products.rs`.
    let mut vectors = [V::splat(0.0); C];
    for (out, g) in g.as_chunks::<R>().0.iter().enumerate() {
        let line = &weight[out * inputs..];
        for at in 0..C {
            let column = column + at * LANES;
            vectors[at] = if end - column < LANES {
                V::load_part(&line[..end], column as isize)
            } else {
                V::load(lanes_at(line, column))
            };
            // Prefetch for the next outputs: rows are too far apart for the processor to predict the
            // access.
            prefetch(line.as_ptr().wrapping_add(CHUNK * inputs + column));
        }
        for row in 0..R {
            let g = V::splat(g[row]);
            for at in 0..C {
                tile[row][at] = g.mul_add(vectors[at], tile[row][at]);
            }
        }
    }
    for row in 0..R {
        for at in 0..C {
            *lanes_at_mut(sums, row * pitch + column + at * LANES) = tile[row][at].store();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let [n, inputs, outputs] = [13, 107, 70];
        let g = pack(&numbers(n * outputs, 7), n, outputs);
        let weight = numbers(inputs * outputs, 3);
        let (mut best, mut plain) = (vec![0.0; n * inputs], vec![0.0; n * inputs]);
        let rows = |x: &mut Vec<f32>, sum: &dyn Fn(&mut [&mut [f32]])| {
            sum(&mut x.chunks_mut(inputs).collect::<Vec<_>>());
        };
        rows(&mut best, &|x| sum_rows(&g, &weight, [inputs, outputs], x));
        rows(&mut plain, &|x| {
            sum_rows_with::<[f32; LANES]>(&g, &weight, [inputs, outputs], x)
        });
        assert_eq!(best, plain);
    }
}
