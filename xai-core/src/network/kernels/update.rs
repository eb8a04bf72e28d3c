//! In-place updates of parameters. Each piece of the parameters is processed together with its part
//! of an optimiser's moments and of the gradient, so that each number is read and written once.

use rayon::prelude::*;

use super::conv_sizes::BLOCK;
use super::direct::{OUT, correlate, pack};

/// Numbers that a thread processes at a time.
const CHUNK: usize = 1 << 14;
/// Columns of a product that are updated at a time.
const COLUMNS: usize = 16 * BLOCK;

/// Updates `numbers`, all of one length, by `rule`, which receives corresponding pieces of them and
/// of `gradient`.
pub(in crate::network) fn update<const K: usize>(
    numbers: [&mut [f32]; K],
    gradient: &[f32],
    rule: impl Fn([&mut [f32]; K], &[f32]) + Sync,
) {
    chunks(numbers, CHUNK)
        .into_par_iter()
        .zip(gradient.par_chunks(CHUNK))
        .for_each(|(numbers, gradient)| rule(numbers, gradient));
}

/// As [`update`], with a gradient that is the product of `a` `[rows][k]` and `b` `[k][columns]`.
/// The gradient is never in memory as a whole. Each of its numbers is one chain of fused
/// multiply-adds.
pub(in crate::network) fn update_by_product<const K: usize>(
    numbers: [&mut [f32]; K],
    a: &[f32],
    b: &[f32],
    [rows, k, columns]: [usize; 3],
    rule: impl Fn([&mut [f32]; K], &[f32]) + Sync,
) {
    // The product is a convolution with one tap: the rows of `b` are lines of k channels, and `a`
    // holds the weights of the outputs.
    let packed = pack(a, rows, k, 1);
    // The last columns, in lines that are long enough for a whole block.
    let whole = columns - columns % BLOCK;
    let mut last = vec![0.0; k * BLOCK];
    for (to, from) in last.chunks_exact_mut(BLOCK).zip(b.chunks_exact(columns)) {
        to[..columns - whole].copy_from_slice(&from[whole..]);
    }
    let lines = |len: usize| (0..k).map(|line| line * len).collect();
    let [of_whole, of_last]: [Vec<usize>; 2] = [lines(columns), lines(BLOCK)];
    chunks(numbers, OUT * columns)
        .into_par_iter()
        .zip(packed.par_chunks(k * OUT))
        .for_each(|(numbers, weights)| {
            let mut rows = [[0.0; COLUMNS]; OUT];
            // Pieces of each row, taken from all rows in turn.
            let lines = chunks(numbers, columns).into_iter();
            let mut lines: Vec<_> = lines
                .map(|line| chunks(line, COLUMNS).into_iter())
                .collect();
            for first in (0..columns).step_by(COLUMNS) {
                let end = columns.min(first + COLUMNS);
                for start in (first..end).step_by(BLOCK) {
                    let sums = if start < whole {
                        correlate(&b[start..], weights, &of_whole)
                    } else {
                        correlate(&last, weights, &of_last)
                    };
                    for (row, sums) in rows.iter_mut().zip(&sums) {
                        row[start - first..][..BLOCK].copy_from_slice(sums.as_flattened());
                    }
                }
                for (line, row) in lines.iter_mut().zip(&rows) {
                    let numbers = line.next().expect("as many pieces as there are");
                    rule(numbers, &row[..end - first]);
                }
            }
        });
}

/// The pieces of `len` numbers of each array. Corresponding pieces are in one array.
fn chunks<const K: usize>(numbers: [&mut [f32]; K], len: usize) -> Vec<[&mut [f32]; K]> {
    let count = numbers[0].len().div_ceil(len);
    let mut pieces = numbers.map(|numbers| numbers.chunks_mut(len));
    let next = |_| {
        let pieces = pieces.each_mut();
        pieces.map(|pieces| pieces.next().expect("all are of one length"))
    };
    (0..count).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    /// Each number is updated once, with its own part of the gradient.
    #[test]
    fn updates_meet_every_number_once() {
        for [rows, k, columns] in [[1, 1, 1], [3, 2, 49], [17, 9, COLUMNS + 50], [40, 4, 1000]] {
            let a: Vec<f32> = numbers(rows * k, 0);
            let b: Vec<f32> = numbers(k * columns, 7);
            let exact = |row: usize, column: usize| {
                let term = |at| f64::from(a[row * k + at]) * f64::from(b[at * columns + column]);
                (0..k).map(term).sum::<f64>() as f32
            };
            let product = (0..rows * columns).map(|at| exact(at / columns, at % columns));
            let product: Vec<f32> = product.collect();
            let start: Vec<f32> = numbers(rows * columns, 3);
            let rule = |[p, count]: [&mut [f32]; 2], g: &[f32]| {
                p.iter_mut().zip(g).for_each(|(p, g)| *p += g);
                count.iter_mut().for_each(|count| *count += 1.0);
            };
            for whole in [false, true] {
                let (mut p, mut count) = (start.clone(), vec![0.0; start.len()]);
                if whole {
                    update([&mut p, &mut count], &product, rule)
                } else {
                    let sizes = [rows, k, columns];
                    update_by_product([&mut p, &mut count], &a, &b, sizes, rule);
                }
                assert!(count.iter().all(|&count| count == 1.0));
                for ((p, start), g) in p.iter().zip(&start).zip(&product) {
                    assert!((p - (start + g)).abs() < 1e-5, "{p}, not {start} + {g}");
                }
            }
        }
    }
}
