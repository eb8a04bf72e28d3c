//! Convolution with 3 x 3 kernels and stride 1 by Winograd's minimal filtering F(4 x 4, 3 x 3)
//! (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks").
//!
//! **Method.** The output is cut into tiles of 4 x 4, each of which comes from 6 x 6 inputs. In one
//! dimension the tile y of kernel g and input d is `y = A^T [(G g) * (B^T d)]`: polynomials are
//! multiplied by their values at five points and at infinity. So a tile takes 36 products of each
//! pair of channels instead of 144, and over all channels and tiles they are 36 products of matrices.
//!
//! **Points.** 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2. Their rounding errors are half
//! those of the usual 0, 1, -1, 2, -2, and less than twice those of a plain sum in 32 bits (root mean
//! square over 256 channels 1.1e-6, 2.3e-6 and 0.6e-6 of the output's). And as a = 1/b, turning
//! a kernel by 180 degrees only exchanges points: one set of transformed weights serves both the
//! convolution and its input gradient.
//!
//! **Order.** A thread takes some rows of tiles, transforms their inputs, and for 64 output channels
//! at a time multiplies and transforms back; what it works on stays in its caches. Every output is one
//! chain of fused multiply-adds over the input channels between fixed transforms, so that neither
//! threads, nor other images of the batch, nor the processor change a bit.

#![expect(
    clippy::needless_range_loop,
    reason = "iterators with closures are not always inlined, and then vectors go through memory"
)]

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::kernels::Shape;
use super::lanes::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut, prefetch};

/// Rows and columns of a tile of the output.
const TILE: usize = 4;
/// Rows and columns of its input: the points at which polynomials are multiplied.
const POINTS: usize = 6;
/// Products a tile and pair of channels.
const PRODUCTS: usize = POINTS * POINTS;
/// Output channels held in registers.
const OUT: usize = 8;
/// Output channels multiplied before they are transformed back.
const OUTPUTS: usize = 64;
/// A thread takes as many tiles as give about so many numbers of transformed input, and ...
const INPUT_FLOATS: usize = 3 << 19;
/// ... so many tiles at most.
const TILES: usize = 7 * LANES;
/// How far ahead weights are asked for, in numbers: each block of tiles reads all of them.
const AHEAD: usize = 1024;

const A: f64 = 2.0 / 3.0;
const B: f64 = 1.5;
/// The point 1 / p of each point p, where the values of a turned kernel stand.
const TURNED: [usize; POINTS] = [5, 3, 4, 1, 2, 0];

/// Whether a convolution is faster this way: it needs channels enough to pay for the transforms, and
/// more than two tiles in a row.
pub(super) fn pays(shape: &Shape) -> bool {
    shape.kernel == [3, 3]
        && shape.input.min(shape.output) >= 32
        && shape.out_plane().iter().all(|&size| size > 2 * TILE)
}

/// The weights of a convolution at the points.
pub(super) struct Weights {
    /// `[point][out / 8][in][8]`, both channel counts rounded up to multiples of 8.
    numbers: Vec<f32>,
    /// Rounded up.
    inputs: usize,
    /// Rounded up.
    outputs: usize,
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
    const H: f64 = 1.0 / (2.0 * (B * B - A * A));
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

/// B^T d.
#[inline(always)]
fn to_points<V: Lanes>(d: [V; POINTS]) -> [V; POINTS] {
    let times = |d: V, factor: f64, to: V| V::splat(factor as f32).mul_add(d, to);
    let zero = times(d[2], -(A * A + B * B), d[0].add(d[4]));
    let infinity = times(d[3], -(A * A + B * B), d[1].add(d[5]));
    let (even_a, even_b) = (times(d[2], -B * B, d[4]), times(d[2], -A * A, d[4]));
    let odd_a = times(d[1], -B, d[3].mul(V::splat(A as f32)));
    let odd_b = times(d[1], -A, d[3].mul(V::splat(B as f32)));
    let (a, minus_a) = (even_a.add(odd_a), even_a.sub(odd_a));
    let (b, minus_b) = (even_b.add(odd_b), even_b.sub(odd_b));
    [zero, a, minus_a, b, minus_b, infinity]
}

/// A^T m.
#[inline(always)]
fn from_points<V: Lanes>([zero, a, minus_a, b, minus_b, infinity]: [V; POINTS]) -> [V; TILE] {
    let times = |m: V, factor: f64, to: V| V::splat(factor as f32).mul_add(m, to);
    let (even_a, odd_a) = (a.add(minus_a), a.sub(minus_a));
    let (even_b, odd_b) = (b.add(minus_b), b.sub(minus_b));
    [
        times(even_a, -B, times(even_b, A, zero)),
        odd_b.sub(odd_a),
        times(even_a, -A, even_b.mul(V::splat(B as f32))),
        times(odd_a, -A * A, times(odd_b, B * B, infinity)),
    ]
}

/// What a thread works on, kept from one call to the next.
#[derive(Default)]
struct Scratch {
    /// Transformed inputs `[point][in][tile]`.
    inputs: Vec<f32>,
    /// Their products with the weights, `[point][out][tile]`.
    products: Vec<f32>,
    /// The six rows of a row of tiles, and after one dimension of the transform.
    rows: Vec<f32>,
    lines: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What one task computes.
struct Block {
    /// Rows of tiles, counted over all images.
    rows: Range<usize>,
    /// Output channels; begins at a multiple of [`OUTPUTS`].
    outputs: Range<usize>,
}

/// How a block lies in memory.
#[derive(Clone, Copy)]
struct Layout {
    /// Rows of tiles an image.
    height: usize,
    /// Tiles in a row.
    width: usize,
    /// From one channel to the next: all tiles of the block, in whole vectors.
    pitch: usize,
    /// From one point of the inputs to the next. (An odd number of vectors: at a power of 2, all
    /// points would compete for the same lines of the cache. For products likewise.)
    input_step: usize,
    /// From one point of the products to the next.
    product_step: usize,
    /// From one line to the next in [`Scratch::lines`] and [`Scratch::rows`].
    line: usize,
}

impl Layout {
    fn new(shape: &Shape, rows: usize) -> Self {
        let [height, width] = shape.out_plane().map(|size| size.div_ceil(TILE));
        // The last row is written in whole vectors, too.
        let tiles = (rows - 1) * width + width.max(LANES);
        let pitch = tiles.div_ceil(LANES) | 1;
        // Lines are read by whole vectors of tiles, which may reach over the last tile.
        Self {
            height,
            width,
            pitch: pitch * LANES,
            input_step: ((shape.input * pitch) | 1) * LANES,
            product_step: ((OUTPUTS * pitch) | 1) * LANES,
            line: TILE * (width + LANES) + 2 * LANES,
        }
    }
}

/// The numbers that tasks write to, each to planes and rows of its own.
#[derive(Clone, Copy)]
struct Output(*mut f32);
// SAFETY: `Block`s do not overlap, see `conv`.
unsafe impl Send for Output {}
unsafe impl Sync for Output {}

/// Cross-correlation of `x` `[n][in][h][w]` with the weights, plus `bias`: as [`super::kernels::conv`].
///
/// With `backward`, the weights are those of a convolution from this one's outputs to its inputs,
/// and are turned: this is then the gradient of that convolution.
pub(super) fn conv(
    x: &[f32],
    weights: &Weights,
    bias: Option<&[f32]>,
    shape: &Shape,
    backward: bool,
) -> Vec<f32> {
    let [height, width] = shape.out_plane();
    let [tiles_high, tiles_wide] = shape.out_plane().map(|size| size.div_ceil(TILE));
    let rows = shape.n * tiles_high;
    let tiles = (INPUT_FLOATS / (PRODUCTS * shape.input)).clamp(3 * LANES, TILES);
    let rows_each = (tiles / tiles_wide).clamp(1, rows);
    // Where there are few blocks, threads share them by output channels.
    let parts = shape.output.div_ceil(OUTPUTS);
    let parts_each = (parts * rows.div_ceil(rows_each) / 4).clamp(1, parts);
    let starts = (0..rows).step_by(rows_each);
    let blocks: Vec<Block> = starts
        .flat_map(|row| {
            (0..parts).step_by(parts_each).map(move |part| Block {
                rows: row..rows.min(row + rows_each),
                outputs: part * OUTPUTS..shape.output.min((part + parts_each) * OUTPUTS),
            })
        })
        .collect();
    let len = shape.n * shape.output * height * width;
    let mut y = Vec::with_capacity(len);
    let output = Output(y.as_mut_ptr());
    blocks.par_iter().with_max_len(1).for_each(|block| {
        SCRATCH.with_borrow_mut(|scratch| {
            let layout = Layout::new(shape, block.rows.len());
            scratch
                .lines
                .resize(scratch.lines.len().max(POINTS * layout.line), 0.0);
            scratch
                .rows
                .resize(scratch.rows.len().max(POINTS * layout.line), 0.0);
            let inputs = PRODUCTS * layout.input_step + LANES;
            scratch.inputs.resize(scratch.inputs.len().max(inputs), 0.0);
            let products = PRODUCTS * layout.product_step + LANES;
            scratch
                .products
                .resize(scratch.products.len().max(products), 0.0);

            transform_inputs(x, shape, block, layout, scratch);
            for first in block.outputs.clone().step_by(OUTPUTS) {
                let outputs = first..block.outputs.end.min(first + OUTPUTS);
                multiply(weights, backward, shape, block, &outputs, layout, scratch);
                transform_products(bias, shape, block, &outputs, layout, scratch, output);
            }
        });
    });
    // SAFETY: the blocks cover every row of every plane, each of which one task has written.
    unsafe { y.set_len(len) };
    y
}

#[inline(always)]
fn transform_inputs_with<V: Lanes>(
    x: &[f32],
    shape: &Shape,
    block: &Block,
    layout: Layout,
    scratch: &mut Scratch,
) {
    let [h, w] = shape.plane;
    for channel in 0..shape.input {
        for (at, row) in block.rows.clone().enumerate() {
            let (image, row) = (row / layout.height, row % layout.height);
            let plane = &x[(image * shape.input + channel) * h * w..][..h * w];
            let to = &mut scratch.inputs[channel * layout.pitch + at * layout.width..];
            copy_rows(plane, shape, row, layout, &mut scratch.rows);
            transform_row::<V>(layout, &scratch.rows, &mut scratch.lines, to);
        }
    }
}
dispatch!(transform_inputs, transform_inputs_with, (x: &[f32], shape: &Shape, block: &Block, layout: Layout, scratch: &mut Scratch) -> ());

/// Copies the six rows that a row of tiles comes from, with the padding around the image.
#[inline(always)]
fn copy_rows(plane: &[f32], shape: &Shape, row: usize, layout: Layout, rows: &mut [f32]) {
    let ([h, w], [top, left]) = (shape.plane, shape.padding);
    for (at, line) in rows.chunks_exact_mut(layout.line).take(POINTS).enumerate() {
        line[..left].fill(0.0);
        match (row * TILE + at).checked_sub(top) {
            Some(y) if y < h => line[left..left + w].copy_from_slice(&plane[y * w..][..w]),
            _ => line[left..left + w].fill(0.0),
        }
        line[left + w..].fill(0.0);
    }
}

/// Transforms the inputs of one row of tiles: first down the columns, then along the rows.
#[inline(always)]
fn transform_row<V: Lanes>(layout: Layout, rows: &[f32], lines: &mut [f32], to: &mut [f32]) {
    let mut vectors = [V::splat(0.0); POINTS];
    for at in (0..TILE * layout.width + 2).step_by(LANES) {
        for y in 0..POINTS {
            vectors[y] = V::load(lanes_at(rows, y * layout.line + at));
        }
        let points = to_points(vectors);
        for y in 0..POINTS {
            *lanes_at_mut(lines, y * layout.line + at) = points[y].store();
        }
    }
    // The last vector of tiles overlaps the one before; where there is only one, what it computes
    // beyond the row is overwritten by the next row.
    let mut tile = 0;
    loop {
        for y in 0..POINTS {
            let x = &lines[y * layout.line + TILE * tile..][..TILE * (LANES + 1)];
            let here = V::deal(x[..TILE * LANES].try_into().expect("a vector of tiles"));
            let next = V::deal(x[TILE..].try_into().expect("a vector of tiles"));
            let points = to_points([here[0], here[1], here[2], here[3], next[0], next[1]]);
            for x in 0..POINTS {
                *lanes_at_mut(to, (y * POINTS + x) * layout.input_step + tile) = points[x].store();
            }
        }
        if tile + LANES >= layout.width {
            break;
        }
        tile = (tile + LANES).min(layout.width - LANES);
    }
}

/// The products of the weights of `outputs` with all inputs, a matrix a point.
#[inline(always)]
fn multiply_with<V: Lanes>(
    weights: &Weights,
    backward: bool,
    shape: &Shape,
    block: &Block,
    outputs: &Range<usize>,
    layout: Layout,
    scratch: &mut Scratch,
) {
    let vectors = (block.rows.len() * layout.width).div_ceil(LANES);
    for point in 0..PRODUCTS {
        let inputs = &scratch.inputs[point * layout.input_step..][..layout.input_step];
        let products = &mut scratch.products[point * layout.product_step..][..layout.product_step];
        let (turned, len) = (
            TURNED[point / POINTS] * POINTS + TURNED[point % POINTS],
            weights.outputs * weights.inputs,
        );
        let weight = &weights.numbers[if backward { turned } else { point } * len..][..len];
        let mut vector = 0;
        while vector < vectors {
            let run = match vectors - vector {
                4 => 2,
                left => left.min(3),
            };
            for out in outputs.clone().step_by(OUT) {
                let x = &inputs[vector * LANES..];
                let to = &mut products[(out - outputs.start) * layout.pitch + vector * LANES..];
                // Backward, the roles of the two kinds of channel are exchanged.
                let (w, step) = match backward {
                    false => (&weight[out * weights.inputs..], OUT * OUT),
                    true => (&weight[out * OUT..], weights.inputs * OUT),
                };
                let (depth, pitch) = (shape.input, layout.pitch);
                match (backward, run) {
                    (false, 3) => products_of::<V, 3, false>(w, step, x, depth, pitch, to),
                    (false, 2) => products_of::<V, 2, false>(w, step, x, depth, pitch, to),
                    (false, _) => products_of::<V, 1, false>(w, step, x, depth, pitch, to),
                    (true, 3) => products_of::<V, 3, true>(w, step, x, depth, pitch, to),
                    (true, 2) => products_of::<V, 2, true>(w, step, x, depth, pitch, to),
                    (true, _) => products_of::<V, 1, true>(w, step, x, depth, pitch, to),
                }
            }
            vector += run;
        }
    }
}
dispatch!(multiply, multiply_with, (weights: &Weights, backward: bool, shape: &Shape, block: &Block, outputs: &Range<usize>, layout: Layout, scratch: &mut Scratch) -> ());

/// Eight output channels of `RUN` vectors of tiles, summed over `depth` input channels, which are
/// `pitch` apart in `x`. The weights of eight input channels are a square, squares are `step` apart.
#[inline(always)]
fn products_of<V: Lanes, const RUN: usize, const BACKWARD: bool>(
    weights: &[f32],
    step: usize,
    x: &[f32],
    depth: usize,
    pitch: usize,
    to: &mut [f32],
) {
    let mut sums = [[V::splat(0.0); RUN]; OUT];
    let mut vectors = [V::splat(0.0); RUN];
    for first in (0..depth).step_by(OUT) {
        let square: &[f32; OUT * OUT] = (weights[first / OUT * step..][..OUT * OUT])
            .try_into()
            .expect("a square");
        for channel in 0..OUT.min(depth - first) {
            if !BACKWARD && channel % 2 == 0 {
                prefetch(square.as_ptr().wrapping_add(channel * OUT + AHEAD));
            }
            for run in 0..RUN {
                vectors[run] = V::load(lanes_at(x, (first + channel) * pitch + run * LANES));
            }
            for out in 0..OUT {
                let weight = V::splat(match BACKWARD {
                    false => square[channel * OUT + out],
                    true => square[out * OUT + channel],
                });
                for run in 0..RUN {
                    sums[out][run] = weight.mul_add(vectors[run], sums[out][run]);
                }
            }
        }
    }
    for out in 0..OUT {
        for run in 0..RUN {
            *lanes_at_mut(to, out * pitch + run * LANES) = sums[out][run].store();
        }
    }
}

/// Transforms the products of `outputs` into rows of the output.
#[inline(always)]
fn transform_products_with<V: Lanes>(
    bias: Option<&[f32]>,
    shape: &Shape,
    block: &Block,
    outputs: &Range<usize>,
    layout: Layout,
    scratch: &mut Scratch,
    output: Output,
) {
    let [height, width] = shape.out_plane();
    for out in outputs.clone() {
        let bias = V::splat(bias.map_or(0.0, |bias| bias[out]));
        for (at, row) in block.rows.clone().enumerate() {
            let (image, row) = (row / layout.height, row % layout.height);
            let start = (out - outputs.start) * layout.pitch + at * layout.width;
            tiles_of_row(&scratch.products[start..], bias, layout, &mut scratch.lines);
            let start = ((image * shape.output + out) * height + row * TILE) * width;
            let rows = TILE.min(height - row * TILE);
            for (y, line) in scratch
                .lines
                .chunks_exact(layout.line)
                .take(rows)
                .enumerate()
            {
                // SAFETY: a row of this block, see `conv`; it lies within the output's capacity.
                unsafe {
                    let to = output.0.add(start + y * width);
                    std::ptr::copy_nonoverlapping(line[..width].as_ptr(), to, width);
                }
            }
        }
    }
}
dispatch!(transform_products, transform_products_with, (bias: Option<&[f32]>, shape: &Shape, block: &Block, outputs: &Range<usize>, layout: Layout, scratch: &mut Scratch, output: Output) -> ());

/// The four lines of pixels of one row of tiles.
#[inline(always)]
fn tiles_of_row<V: Lanes>(products: &[f32], bias: V, layout: Layout, lines: &mut [f32]) {
    let mut tile = 0;
    loop {
        let mut columns = [[bias; TILE]; POINTS];
        let mut points = [bias; POINTS];
        for x in 0..POINTS {
            for y in 0..POINTS {
                let at = (y * POINTS + x) * layout.product_step + tile;
                points[y] = V::load(lanes_at(products, at));
            }
            columns[x] = from_points(points);
        }
        for y in 0..TILE {
            for x in 0..POINTS {
                points[x] = columns[x][y];
            }
            let [a, b, c, d] = from_points(points);
            let line = &mut lines[y * layout.line + TILE * tile..][..TILE * LANES];
            let pixels = [a.add(bias), b.add(bias), c.add(bias), d.add(bias)];
            V::gather(pixels, line.try_into().expect("a vector of tiles"));
        }
        if tile + LANES >= layout.width {
            break;
        }
        tile = (tile + LANES).min(layout.width - LANES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| ((i + seed) * 2654435761 % 1009) as f32 / 504.5 - 1.0;
        (0..n).map(number).collect()
    }

    fn shapes() -> impl Iterator<Item = Shape> {
        let sizes = [
            (1, 1, 1, [1, 1], [1, 1]),
            (2, 5, 9, [14, 15], [1, 1]),
            (3, 17, 70, [7, 66], [0, 2]),
            (2, 40, 23, [30, 9], [2, 1]),
        ];
        sizes
            .into_iter()
            .map(|(n, input, output, plane, padding)| Shape {
                n,
                input,
                output,
                plane,
                kernel: [3, 3],
                padding,
            })
    }

    /// The definition, in 64 bits, and the largest possible value.
    fn plain(x: &[f32], weight: &[f32], s: &Shape) -> (Vec<f64>, f64) {
        let ([height, width], [h, w]) = (s.out_plane(), s.plane);
        let mut y = Vec::new();
        for (image, out) in (0..s.n).flat_map(|n| (0..s.output).map(move |out| (n, out))) {
            for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                let mut sum = 0.0;
                for (channel, tap) in (0..s.input).flat_map(|c| (0..9).map(move |t| (c, t))) {
                    let row = (row + tap / 3).wrapping_sub(s.padding[0]);
                    let column = (column + tap % 3).wrapping_sub(s.padding[1]);
                    if row < h && column < w {
                        let x = x[((image * s.input + channel) * h + row) * w + column];
                        sum +=
                            f64::from(x) * f64::from(weight[(out * s.input + channel) * 9 + tap]);
                    }
                }
                y.push(sum);
            }
        }
        let largest = y.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        (y, largest)
    }

    #[test]
    fn both_directions_are_the_convolution() {
        for shape in shapes() {
            let [h, w] = shape.plane;
            let x = numbers(shape.n * shape.input * h * w, 1);
            let weight = numbers(shape.output * shape.input * 9, 7);
            let (exact, largest) = plain(&x, &weight, &shape);
            // The weights of the convolution in the other direction, turned.
            let mut turned = vec![0.0; weight.len()];
            for (at, weight) in weight.iter().enumerate() {
                let (out, input, tap) = (at / 9 / shape.input, at / 9 % shape.input, at % 9);
                turned[(input * shape.output + out) * 9 + 8 - tap] = *weight;
            }
            let forward = Weights::new(&weight, shape.output, shape.input);
            let back = Weights::new(&turned, shape.input, shape.output);
            for y in [
                conv(&x, &forward, None, &shape, false),
                conv(&x, &back, None, &shape, true),
            ] {
                assert_eq!(y.len(), exact.len());
                for (y, exact) in y.iter().zip(&exact) {
                    assert!((f64::from(*y) - exact).abs() < 3e-6 * largest, "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn neither_threads_nor_the_rest_of_the_batch_change_a_bit() {
        for shape in shapes() {
            let [h, w] = shape.plane;
            let x = numbers(shape.n * shape.input * h * w, 3);
            let weight = numbers(shape.output * shape.input * 9, 5);
            let weights = Weights::new(&weight, shape.output, shape.input);
            let packed = kernels::pack(&weight, shape.output, shape.input, 9);
            let run = |x: &[f32], shape: &Shape| {
                let mut y = conv(x, &weights, None, shape, false);
                y.extend(kernels::conv(x, &packed, None, shape));
                y
            };
            let all = run(&x, &shape);
            let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            assert_eq!(one_thread.unwrap().install(|| run(&x, &shape)), all);
            let one = Shape { n: 1, ..shape };
            let (len, half) = (all.len() / 2 / shape.n, all.len() / 2);
            for image in 0..shape.n {
                let y = run(
                    &x[image * shape.input * h * w..][..shape.input * h * w],
                    &one,
                );
                assert_eq!(y[..len], all[image * len..][..len]);
                assert_eq!(y[len..], all[half + image * len..][..len]);
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same_bits() {
        let shape = shapes().nth(2).unwrap();
        let x = numbers(shape.n * shape.input * shape.plane[0] * shape.plane[1], 3);
        let weight = numbers(shape.output * shape.input * 9, 5);
        let weights = Weights::new(&weight, shape.output, shape.input);
        let block = Block {
            rows: 1..3,
            outputs: 0..shape.output,
        };
        let layout = Layout::new(&shape, 2);
        let scratch = || Scratch {
            inputs: vec![0.0; PRODUCTS * layout.input_step + LANES],
            products: vec![0.0; PRODUCTS * layout.product_step + LANES],
            rows: vec![0.0; POINTS * layout.line],
            lines: vec![0.0; POINTS * layout.line],
        };
        let (mut best, mut any) = (scratch(), scratch());
        let outputs = 0..OUTPUTS;
        type Any = [f32; LANES];
        transform_inputs(&x, &shape, &block, layout, &mut best);
        transform_inputs_with::<Any>(&x, &shape, &block, layout, &mut any);
        assert_eq!(best.inputs, any.inputs);
        for backward in [false, true] {
            let weights = match backward {
                false => &weights,
                true => &Weights::new(&weight, shape.input, shape.output),
            };
            multiply(
                weights, backward, &shape, &block, &outputs, layout, &mut best,
            );
            multiply_with::<Any>(
                weights, backward, &shape, &block, &outputs, layout, &mut any,
            );
            assert_eq!(best.products, any.products);
            assert!(best.products.iter().any(|x| *x != 0.0));
        }
        let zero = [0.0; LANES];
        let bias = any.lines[0];
        tiles_of_row(&any.products, Any::load(&zero), layout, &mut any.lines);
        let plain = any.lines.clone();
        dispatched_tiles(&any.products, layout, &mut any.lines);
        assert_eq!(plain, any.lines);
        assert_ne!(bias, plain[0]);
    }

    #[inline(always)]
    fn tiles_with<V: Lanes>(products: &[f32], layout: Layout, lines: &mut [f32]) {
        tiles_of_row(products, V::splat(0.0), layout, lines);
    }
    dispatch!(dispatched_tiles, tiles_with, (products: &[f32], layout: Layout, lines: &mut [f32]) -> ());
}
