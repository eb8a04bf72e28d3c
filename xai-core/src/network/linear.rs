//! Fully connected layers: products with a matrix so large that reading it is most of the work.
//! It is read once, where it is, by all threads.
//!
//! Each output is a chain of fused multiply-adds whose order depends on the layer alone, so that
//! neither threads nor the other rows of a batch change a bit.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut};

/// Outputs computed by one task.
const OUTPUTS: usize = 32;
/// Outputs held in registers.
const OUT: usize = 4;
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
fn dot_products_with<V: Lanes>(x: &[f32], weight: &[f32], inputs: usize, sums: &mut [[f32; LANES]]) {
    let (outputs, n) = (weight.len() / inputs, x.len() / inputs);
    for start in (0..inputs).step_by(CHUNK) {
        let range = start..inputs.min(start + CHUNK);
        for out in (0..outputs).step_by(OUT) {
            let mut row = 0;
            while row < n {
                let (x, sums) = (&x[row * inputs..], &mut sums[out * n + row..]);
                let weight = &weight[out * inputs..];
                if n - row <= 2 {
                    dot_tile::<V, 2>(x, weight, inputs, n, range.clone(), sums);
                    row += 2;
                } else {
                    dot_tile::<V, 6>(x, weight, inputs, n, range.clone(), sums);
                    row += 6;
                }
            }
        }
    }
}
dispatch!(dot_products, dot_products_with, (x: &[f32], weight: &[f32], inputs: usize, sums: &mut [[f32; LANES]]) -> ());

/// The part of [`dot_products_with`] for the first rows of `weight` and of `x`, at inputs `range`.
/// `sums` begins at the first of these; outputs are `n` apart.
#[inline(always)]
fn dot_tile<V: Lanes, const ROWS: usize>(
    x: &[f32],
    weight: &[f32],
    inputs: usize,
    n: usize,
    range: Range<usize>,
    sums: &mut [[f32; LANES]],
) {
    // Where there are fewer, the last ones are computed again and not kept.
    let (outs, rows) = (OUT.min(weight.len() / inputs), ROWS.min(x.len() / inputs));
    let mut tile = [[V::splat(0.0); ROWS]; OUT];
    for out in 0..outs {
        for row in 0..rows {
            tile[out][row] = V::load(&sums[out * n + row]);
        }
    }
    let whole = range.len() - range.len() % LANES;
    let mut x_vectors = [V::splat(0.0); ROWS];
    for at in (range.start..range.end).step_by(LANES) {
        let last = at == range.start + whole;
        for row in 0..ROWS {
            let x = &x[row.min(rows - 1) * inputs..][..range.end];
            x_vectors[row] = if last { rest(&x[at..]) } else { V::load(lanes_at(x, at)) };
        }
        for out in 0..OUT {
            let w = &weight[out.min(outs - 1) * inputs..][..range.end];
            let w = if last { rest(&w[at..]) } else { V::load(lanes_at(w, at)) };
            for row in 0..ROWS {
                tile[out][row] = w.mul_add(x_vectors[row], tile[out][row]);
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
fn rest<V: Lanes>(x: &[f32]) -> V {
    let mut lanes = [0.0; LANES];
    lanes[..x.len()].copy_from_slice(x);
    V::load(&lanes)
}

/// `g` `[n][outputs]` times `weight` `[outputs][inputs]`: `[n][inputs]`, the gradient of [`forward`]
/// for `x`.
pub(super) fn input_grad(
    g: &[f32],
    weight: &[f32],
    [n, inputs, outputs]: [usize; 3],
) -> Vec<f32> {
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

/// `columns` columns of `g` times `weight`, which begins at the first of them, in `sums`
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
        // Outputs that there are not count as zeros.
        let outs = OUT.min(outputs - out);
        for (g, sums) in g.chunks_exact(outputs).zip(sums.chunks_exact_mut(COLUMNS)) {
            let mut factors = [V::splat(0.0); OUT];
            for at in 0..outs {
                factors[at] = V::splat(g[out + at]);
            }
            for column in (0..columns).step_by(LANES) {
                let mut sum = V::load(lanes_at(sums, column));
                for (at, factor) in factors.iter().enumerate().take(outs) {
                    let w = &weight[(out + at) * inputs..];
                    let w = match columns - column < LANES {
                        true => rest(&w[column..columns]),
                        false => V::load(lanes_at(w, column)),
                    };
                    sum = factor.mul_add(w, sum);
                }
                *lanes_at_mut(sums, column) = sum.store();
            }
        }
    }
}
dispatch!(sum_rows, sum_rows_with, (g: &[f32], weight: &[f32], shape: [usize; 2], columns: usize, sums: &mut [f32]) -> ());
