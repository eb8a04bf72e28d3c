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
        // A task computes all points of eight outputs.
        let mut parts: Vec<Vec<&mut [f32]>> = Vec::new();
        parts.resize_with(outputs / OUT, || Vec::with_capacity(PRODUCTS));
        for points in numbers.chunks_exact_mut(outputs * inputs) {
            let pieces = points.chunks_exact_mut(inputs * OUT);
            parts
                .iter_mut()
                .zip(pieces)
                .for_each(|(part, piece)| part.push(piece));
        }
        parts.par_iter_mut().enumerate().for_each(|(part, points)| {
            transform_weights(weight, [output, input], part * OUT, points);
        });
        Self {
            numbers,
            inputs,
            outputs,
        }
    }
}

/// G w G^T of the outputs from `first` on, in 64 bits: to `[point][in][8]`.
#[inline(always)]
fn transform_weights_with<V: Lanes>(
    weight: &[f32],
    [output, input]: [usize; 2],
    first: usize,
    to: &mut [&mut [f32]],
) {
    const G: [[f64; 3]; POINTS] = [
        [1.0, 0.0, 0.0],
        [H * B, H, H * A],
        [H * B, -H, H * A],
        [H * A, H, H * B],
        [H * A, -H, H * B],
        [0.0, 0.0, 1.0],
    ];
    for channel in 0..input {
        let mut taps = [[0.0; OUT]; 9];
        for out in first..output.min(first + OUT) {
            let w = &weight[(out * input + channel) * 9..][..9];
            for (tap, w) in taps.iter_mut().zip(w) {
                tap[out - first] = f64::from(*w);
            }
        }
        for (row, of_rows) in G.iter().enumerate() {
            let mut columns = [[0.0; OUT]; 3];
            for (x, column) in columns.iter_mut().enumerate() {
                for (out, column) in column.iter_mut().enumerate() {
                    let w = [taps[x][out], taps[3 + x][out], taps[6 + x][out]];
                    *column = of_rows[0] * w[0] + of_rows[1] * w[1] + of_rows[2] * w[2];
                }
            }
            for (column, g) in G.iter().enumerate() {
                let to = &mut to[row * POINTS + column][channel * OUT..][..OUT];
                for (out, to) in to.iter_mut().enumerate() {
                    let [x, y, z] = [columns[0][out], columns[1][out], columns[2][out]];
                    *to = (g[0] * x + g[1] * y + g[2] * z) as f32;
                }
            }
        }
    }
}
dispatch!(transform_weights, transform_weights_with, (weight: &[f32], channels: [usize; 2], first: usize, to: &mut [&mut [f32]]) -> ());
