//! Fully connected layers. Their matrices are so large that reading them is most of the work. All
//! threads together read a matrix once, in place.
//!
//! Each output is a chain of fused multiply-adds whose order depends only on the layer. Threads and
//! the other rows of a batch change no bit.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut, prefetch};

/// Outputs of a tile of dot products, which is held in registers.
const OUT: usize = 4;
/// Rows of a batch in a tile.
const ROWS: usize = 6;
/// Outputs computed by one task.
const OUTPUTS: usize = 32;
/// Inputs whose gradient is computed by one task.
const COLUMNS: usize = 64 * LANES;
/// Inputs multiplied before the next outputs and rows, so that they stay in the first-level cache.
const CHUNK: usize = 32 * LANES;

/// `x` `[n][inputs]` times `weight` `[outputs][inputs]` transposed, plus `bias`: `[n][outputs]`.
pub(super) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    [n, inputs, outputs]: [usize; 3],
) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = weight
        .par_chunks(OUTPUTS * inputs)
        .map(|weight| {
            let mut sums = vec![[0.0; LANES]; n * weight.len() / inputs];
            dot_products(x, weight, inputs, &mut sums);
            sums.iter().map(|lanes| lanes.iter().sum()).collect()
        })
        .collect();
    let mut y = vec![0.0; n * outputs];
    for (part, sums) in parts.iter().enumerate() {
        for (at, sum) in sums.iter().enumerate() {
            let (out, row) = (part * OUTPUTS + at / n, at % n);
            y[row * outputs + out] = sum + bias.map_or(0.0, |bias| bias[out]);
        }
    }
    y
}

/// Adds to `sums` `[output][row of x]` the products of all rows of `weight` and `x`, lane by lane.
#[inline(always)]
fn dot_products_with<V: Lanes>(
    x: &[f32],
    weight: &[f32],
    inputs: usize,
    sums: &mut [[f32; LANES]],
) {
    let (outputs, n) = (weight.len() / inputs, x.len() / inputs);
    for start in (0..inputs).step_by(CHUNK) {
        let range = start..inputs.min(start + CHUNK);
        for out in (0..outputs).step_by(OUT) {
            for row in (0..n).step_by(ROWS) {
                let sums = &mut sums[out * n + row..];
                let weight = (&weight[out * inputs..], outputs - out);
                let x = (&x[row * inputs..], n - row);
                match n - row {
                    1 | 2 => dot_tile::<V, 2>(weight, x, inputs, range.clone(), sums, n),
                    _ => dot_tile::<V, ROWS>(weight, x, inputs, range.clone(), sums, n),
                }
            }
        }
    }
}
dispatch!(dot_products, dot_products_with, (x: &[f32], weight: &[f32], inputs: usize, sums: &mut [[f32; LANES]]) -> ());

/// Adds to `sums[a * n + b]` the products of rows `a` of `first` and `b` of `second`, lane by lane,
/// at the columns `range`. It uses the first `outs` (at most [`OUT`]) and `rows` (at most `R`)
/// rows. Rows are `len` apart.
#[inline(always)]
fn dot_tile<V: Lanes, const R: usize>(
    (first, outs): (&[f32], usize),
    (second, rows): (&[f32], usize),
    len: usize,
    range: Range<usize>,
    sums: &mut [[f32; LANES]],
    n: usize,
) {
    // If there are fewer rows, the last ones are computed again and discarded.
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
                V::load_part(x, at as isize)
            } else {
                V::load(lanes_at(x, at))
            };
        }
        for out in 0..OUT {
            let w = &first[out.min(outs - 1) * len..][..range.end];
            // Prefetch of the next chunk: rows are too far apart for the processor to predict the
            // access.
            prefetch(w.as_ptr().wrapping_add(at + CHUNK));
            let w = if last {
                V::load_part(w, at as isize)
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

/// `g` `[n][outputs]` times `weight` `[outputs][inputs]`: `[n][inputs]`, the gradient of
/// [`forward`] with respect to `x`.
pub(super) fn input_grad(g: &[f32], weight: &[f32], [n, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    // A task computes some columns of all rows.
    let starts: Vec<usize> = (0..inputs).step_by(COLUMNS).collect();
    let parts: Vec<Vec<f32>> = starts
        .par_iter()
        .map(|&start| {
            let columns = COLUMNS.min(inputs - start);
            let mut sums = vec![0.0; n * COLUMNS];
            sum_rows(g, &weight[start..], [inputs, outputs], columns, &mut sums);
            sums
        })
        .collect();
    let mut x = Vec::with_capacity(n * inputs);
    for row in 0..n {
        for part in &parts {
            let columns = COLUMNS.min((row + 1) * inputs - x.len());
            x.extend_from_slice(&part[row * COLUMNS..][..columns]);
        }
    }
    x
}

/// `columns` columns of `g` times `weight`, which begins at the first of them, stored in `sums`
/// `[n][COLUMNS]`.
#[inline(always)]
fn sum_rows_with<V: Lanes>(
    g: &[f32],
    weight: &[f32],
    [inputs, outputs]: [usize; 2],
    columns: usize,
    sums: &mut [f32],
) {
    for out in (0..outputs).step_by(OUT) {
        // Missing outputs count as zeros.
        let outs = OUT.min(outputs - out);
        let rows = g.chunks_exact(outputs).zip(sums.chunks_exact_mut(COLUMNS));
        for (row, (g, sums)) in rows.enumerate() {
            let mut factors = [V::splat(0.0); OUT];
            for at in 0..outs {
                factors[at] = V::splat(g[out + at]);
            }
            for column in (0..columns).step_by(LANES) {
                let mut sum = V::load(lanes_at(sums, column));
                for (at, factor) in factors.iter().enumerate().take(outs) {
                    let w = &weight[(out + at) * inputs..];
                    if row == 0 {
                        // Prefetch for the next outputs: rows are too far apart for the processor
                        // to predict the access.
                        prefetch(w.as_ptr().wrapping_add(OUT * inputs + column));
                    }
                    let w = if columns - column < LANES {
                        V::load_part(&w[..columns], column as isize)
                    } else {
                        V::load(lanes_at(w, column))
                    };
                    sum = factor.mul_add(w, sum);
                }
                *lanes_at_mut(sums, column) = sum.store();
            }
        }
    }
}
dispatch!(sum_rows, sum_rows_with, (g: &[f32], weight: &[f32], shape: [usize; 2], columns: usize, sums: &mut [f32]) -> ());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    #[test]
    fn products_are_exact_to_rounding_and_rows_do_not_meet() {
        for [n, inputs, outputs] in [[1, 5, 3], [2, 700, 33], [9, 1045, 70]] {
            let x: Vec<f32> = numbers(n * inputs, 0);
            let g: Vec<f32> = numbers(n * outputs, 7);
            let weight: Vec<f32> = numbers(inputs * outputs, 3);
            let bias: Vec<f32> = numbers(outputs, 1);
            let y = forward(&x, &weight, Some(&bias), [n, inputs, outputs]);
            let back = input_grad(&g, &weight, [n, inputs, outputs]);
            let w = |out: usize, at: usize| f64::from(weight[out * inputs + at]);
            for row in 0..n {
                for out in 0..outputs {
                    let terms = (0..inputs).map(|at| f64::from(x[row * inputs + at]) * w(out, at));
                    let exact = f64::from(bias[out]) + terms.sum::<f64>();
                    assert!(
                        (f64::from(y[row * outputs + out]) - exact).abs() < 1e-5 * inputs as f64
                    );
                }
                for at in 0..inputs {
                    let terms =
                        (0..outputs).map(|out| f64::from(g[row * outputs + out]) * w(out, at));
                    let found = f64::from(back[row * inputs + at]);
                    assert!((found - terms.sum::<f64>()).abs() < 1e-5);
                }
                let alone = forward(
                    &x[row * inputs..][..inputs],
                    &weight,
                    Some(&bias),
                    [1, inputs, outputs],
                );
                assert_eq!(alone, y[row * outputs..][..outputs]);
            }
        }
    }
}
