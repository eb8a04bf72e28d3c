//! The weights of a convolution at the points.

use rayon::prelude::*;

use super::sizes::{A, B, H, OUT, POINTS, PRODUCTS};
use crate::network::simd::{LANES, Lanes, dispatch};

/// The weights of a convolution at the points.
pub(in crate::network) struct Weights {
    /// `[point][out / 8][in][8]`, both channel counts rounded up to multiples of 8.
    pub(super) numbers: Vec<f32>,
    /// Rounded up.
    pub(super) inputs: usize,
    /// Rounded up.
    pub(super) outputs: usize,
}

impl Weights {
    /// Transforms `weight` `[output][input][3][3]`.
    pub fn new(weight: &[f32], output: usize, input: usize) -> Self {
        let (outputs, inputs) = (output.next_multiple_of(OUT), input.next_multiple_of(OUT));
        let mut numbers = vec![0.0; PRODUCTS * outputs * inputs];
        numbers
            .par_chunks_mut(POINTS * outputs * inputs)
            .enumerate()
            .for_each(|(row, to)| transform_weights(weight, [output, input], inputs, row, to));
        Self {
            numbers,
            inputs,
            outputs,
        }
    }
}

/// One row of points of G w G^T, in 64 bits: `to` is `[point in the row][out / 8][in][8]`.
#[inline(always)]
fn transform_weights_with<V: Lanes>(
    weight: &[f32],
    [output, input]: [usize; 2],
    inputs: usize,
    row: usize,
    to: &mut [f32],
) {
    const G: [[f64; 3]; POINTS] = [
        [1.0, 0.0, 0.0],
        [H * B, H, H * A],
        [H * B, -H, H * A],
        [H * A, H, H * B],
        [H * A, -H, H * B],
        [0.0, 0.0, 1.0],
    ];
    let len = to.len() / POINTS;
    for first in (0..output).step_by(OUT) {
        for channel in 0..input {
            let mut columns = [[0.0; OUT]; 3];
            for out in first..output.min(first + OUT) {
                let w = &weight[(out * input + channel) * 9..][..9];
                for (x, column) in columns.iter_mut().enumerate() {
                    let w = [w[x], w[3 + x], w[6 + x]].map(f64::from);
                    column[out - first] = G[row][0] * w[0] + G[row][1] * w[1] + G[row][2] * w[2];
                }
            }
            for (point, g) in G.iter().enumerate() {
                let to = &mut to[point * len + first * inputs + channel * OUT..][..OUT];
                for (out, to) in to.iter_mut().enumerate() {
                    let [x, y, z] = [columns[0][out], columns[1][out], columns[2][out]];
                    *to = (g[0] * x + g[1] * y + g[2] * z) as f32;
                }
            }
        }
    }
}
dispatch!(transform_weights, transform_weights_with, (weight: &[f32], channels: [usize; 2], inputs: usize, row: usize, to: &mut [f32]) -> ());
