//! The products with the weights. Inputs are in the lanes of vectors.

use rayon::prelude::*;

use super::tiles::{ROWS, RUN, tiled, tiles};
use crate::network::simd::{
    LANES, Lanes, add_products, dispatch, lanes_at, lanes_at_mut, prefetch,
};

/// Outputs computed by one task.
const OUTPUTS: usize = 8 * RUN;
/// Vectors of inputs that are multiplied before the next outputs and rows.
const CHUNK: usize = 16;

/// The sum of products in each lane, or a vector of inputs.
type Line = [f32; LANES];

/// `x` `[n][inputs]` times `weight` `[outputs][inputs]` transposed, plus `bias`: `[n][outputs]`.
pub(in crate::network) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    [n, inputs, outputs]: [usize; 3],
) -> Vec<f32> {
    let packed = pack(x, n, inputs);
    let parts: Vec<Vec<f32>> = weight
        .par_chunks(OUTPUTS * inputs)
        .map(|weight| dot_products(&packed, weight, n, inputs))
        .collect();
    let mut y = Vec::with_capacity(n * outputs);
    for row in 0..n {
        for part in &parts {
            let outputs = part.len() / n;
            y.extend_from_slice(&part[row * outputs..][..outputs]);
        }
    }
    if let Some(bias) = bias {
        for y in y.chunks_exact_mut(outputs) {
            y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
        }
    }
    y
}

/// `x` `[n][inputs]` as `[chunk][tile of rows][vector][row]`. Missing inputs and rows are zeros.
fn pack(x: &[f32], n: usize, inputs: usize) -> Vec<Line> {
    let rows = tiled(n);
    let mut packed = vec![[0.0; LANES]; inputs.div_ceil(LANES) * rows];
    let chunks = packed.par_chunks_mut(CHUNK * rows).enumerate();
    chunks.for_each(|(chunk, packed)| {
        let vectors = packed.len() / rows;
        for (first, size) in tiles(n) {
            let tile = &mut packed[first * vectors..][..size * vectors];
            for row in first..n.min(first + size) {
                let x = &x[row * inputs..][..inputs][chunk * CHUNK * LANES..];
                let to = tile[row - first..].iter_mut().step_by(size);
                for (to, x) in to.zip(x.chunks(LANES)) {
                    to[..x.len()].copy_from_slice(x);
                }
            }
        }
    });
    packed
}

/// The products of the rows of `x`, which is [`pack`]ed, and all rows of `weight`: `[n][outputs]`.
#[inline(always)]
fn dot_products_with<V: Lanes>(x: &[Line], weight: &[f32], n: usize, inputs: usize) -> Vec<f32> {
    let (outputs, rows) = (weight.len() / inputs, tiled(n));
    // `[tile of outputs][tile of rows][output][row]`.
    let mut sums = vec![[0.0; LANES]; outputs.next_multiple_of(RUN) * rows];
    for (chunk, x) in x.chunks(CHUNK * rows).enumerate() {
        let start = chunk * CHUNK * LANES;
        let (vectors, end) = (x.len() / rows, inputs.min(start + CHUNK * LANES));
        for out in (0..outputs).step_by(RUN) {
            let mut lines: [&[f32]; RUN] = [&[]; RUN];
            for at in 0..RUN {
                // Missing outputs are the last one again, and are not used.
                let out = (out + at).min(outputs - 1);
                lines[at] = &weight[out * inputs..][start..end];
            }
            for (row, size) in tiles(n) {
                let x = &x[row * vectors..][..size * vectors];
                let sums = &mut sums[out * rows + row * RUN..][..size * RUN];
                match size {
                    1 => dot_tile::<V, 1>(lines, x, sums),
                    2 => dot_tile::<V, 2>(lines, x, sums),
                    4 => dot_tile::<V, 4>(lines, x, sums),
                    _ => dot_tile::<V, ROWS>(lines, x, sums),
                }
            }
        }
    }
    let totals = totals::<V>(&sums);
    let mut y = vec![0.0; n * outputs];
    for out in 0..outputs {
        for (first, size) in tiles(n) {
            let totals = &totals[out / RUN * RUN * rows + first * RUN + out % RUN * size..];
            for row in first..n.min(first + size) {
                y[row * outputs + out] = totals[row - first];
            }
        }
    }
    y
}
dispatch!(dot_products, dot_products_with, (x: &[Line], weight: &[f32], n: usize, inputs: usize) -> Vec<f32>);

/// Adds to `sums` `[output][row]` the products of the lines of three outputs and of `x`
/// `[vector][row]`, lane by lane.
#[inline(always)]
fn dot_tile<V: Lanes, const R: usize>(lines: [&[f32]; RUN], x: &[Line], sums: &mut [Line]) {
    let mut tile = [[V::splat(0.0); RUN]; R];
    for at in 0..RUN {
        for row in 0..R {
            tile[row][at] = V::load(&sums[at * R + row]);
        }
    }
    let x = x.as_chunks::<R>().0;
    let whole = lines[0].len() / LANES;
    let weight = |vector: usize, _, at: usize| {
        let line = lanes_at(lines[at], vector * LANES);
        // Prefetch of the next chunk: rows are too far apart for the processor to predict the
        // access.
        prefetch(line.as_ptr().wrapping_add(CHUNK * LANES));
        V::load(line)
    };
    let input = |vector: usize, _, row: usize| V::load(&x[vector][row]);
    add_products::<V, _, 1, R, RUN>(&mut tile, whole, |vector| vector, weight, input);
    // The last inputs do not fill a vector.
    let weight = |(), _, at: usize| V::load_part(lines[at], (whole * LANES) as isize);
    let input = |(), _, row: usize| V::load(&x[whole][row]);
    add_products::<V, _, 1, R, RUN>(&mut tile, x.len() - whole, |_| (), weight, input);
    for at in 0..RUN {
        for row in 0..R {
            sums[at * R + row] = tile[row][at].store();
        }
    }
}

/// The sum over the lanes of each line, from first to last.
#[inline(always)]
fn totals<V: Lanes>(lines: &[Line]) -> Vec<f32> {
    let mut totals = vec![0.0; lines.len().next_multiple_of(LANES)];
    for (totals, lines) in totals.chunks_exact_mut(LANES).zip(lines.chunks(LANES)) {
        let mut rows = [V::splat(0.0); LANES];
        for (row, line) in rows.iter_mut().zip(lines) {
            *row = V::load(line);
        }
        let lanes = V::transpose(rows);
        let mut sum = lanes[0];
        for lane in 1..LANES {
            sum = sum.add(lanes[lane]);
        }
        *lanes_at_mut(totals, 0) = sum.store();
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::numbers;

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let [n, inputs, outputs] = [13, 300, 7];
        let x = pack(&numbers(n * inputs, 0), n, inputs);
        let weight = numbers(inputs * outputs, 3);
        let best = dot_products(&x, &weight, n, inputs);
        let plain = dot_products_with::<[f32; LANES]>(&x, &weight, n, inputs);
        assert_eq!(best, plain);
    }
}
