//! The transform of products into pixels, and the operations on these while they are in registers.

use std::ops::Range;

use super::points::from_points;
use super::scratch::Scratch;
use super::sizes::{POINTS, TILE};
use super::tiles::{BlockSizes, Run};
use crate::network::kernels::ConvSizes;
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at};

/// The operation after a convolution.
#[derive(Clone, Copy)]
pub(super) enum Finish {
    /// Nothing.
    Plain,
    /// A ReLU.
    Relu,
    /// A ReLU and the maxima of 2 x 2 pixels.
    ReluPool,
    /// Sets the output to 0 where the previous value in its place is not above 0.
    Gate,
}

/// The position, in a window of 2 x 2, of a maximum that the ReLU has set to 0.
pub(in crate::network) const NOWHERE: u8 = 4;

/// The memory to which tasks write, each to its own planes and tiles.
#[derive(Clone, Copy)]
pub(super) struct Output {
    /// Pixels `[image][out][row][column]`.
    pub pixels: *mut f32,
    /// The position of each maximum in its window (0 to 3, or [`NOWHERE`]), if there is a pooling.
    pub places: *mut u8,
    pub finish: Finish,
}
// SAFETY: tiles of `Block`s do not overlap, see `run` in the module above.
unsafe impl Send for Output {}
unsafe impl Sync for Output {}

/// Four rows of four pixels of each tile of a vector.
type Pixels<V> = [[V; TILE]; TILE];

/// Transforms the products of `outputs` into pixels. `vectors` are those of the [`Block`](super::tiles::Block).
#[inline(always)]
pub(super) fn transform_products_with<V: Lanes>(
    bias: Option<&[f32]>,
    shape: &ConvSizes,
    vectors: &[Vec<(usize, Run)>],
    outputs: &Range<usize>,
    layout: BlockSizes,
    scratch: &mut Scratch,
    output: Output,
) {
    let plane = shape.out_plane();
    for out in outputs.clone() {
        let bias = V::splat(bias.map_or(0.0, |bias| bias[out]));
        let products = &scratch.products[(out - outputs.start) * layout.pitch..];
        for (vector, runs) in vectors.iter().enumerate() {
            let pixels = tiles_of(products, vector * LANES, bias, layout);
            let channel = (out, shape.output);
            match output.finish {
                Finish::ReluPool => write_maxima(pixels, runs, channel, plane, output),
                _ => write_pixels(pixels, runs, channel, plane, output),
            }
        }
    }
}
dispatch!(pub(super) transform_products, transform_products_with, (bias: Option<&[f32]>, shape: &ConvSizes, vectors: &[Vec<(usize, Run)>], outputs: &Range<usize>, layout: BlockSizes, scratch: &mut Scratch, output: Output) -> ());

/// The pixels of a vector of tiles.
#[inline(always)]
fn tiles_of<V: Lanes>(products: &[f32], tile: usize, bias: V, layout: BlockSizes) -> Pixels<V> {
    let mut columns = [[bias; TILE]; POINTS];
    let mut points = [bias; POINTS];
    for x in 0..POINTS {
        for y in 0..POINTS {
            let at = (y * POINTS + x) * layout.product_step + tile;
            points[y] = V::load(lanes_at(products, at));
        }
        columns[x] = from_points(points);
    }
    let mut pixels = [[bias; TILE]; TILE];
    for y in 0..TILE {
        for x in 0..POINTS {
            points[x] = columns[x][y];
        }
        let row = from_points(points);
        for x in 0..TILE {
            pixels[y][x] = row[x].add(bias);
        }
    }
    pixels
}

/// The range of row `y` of the tiles of a run among all pixels, if a tile has `size` rows and
/// columns: in the plane of output channel `out` of `outputs`. Empty below the plane.
#[inline(always)]
fn row_of(
    run: &Run,
    y: usize,
    size: usize,
    (out, outputs): (usize, usize),
    [height, width]: [usize; 2],
) -> Range<usize> {
    let row = run.row * size + y;
    let columns = run.columns.start * size..width.min(run.columns.end * size);
    if row >= height || columns.is_empty() {
        return 0..0;
    }
    let start = ((run.image * outputs + out) * height + row) * width + columns.start;
    start..start + columns.len()
}

/// Writes a vector of tiles to the planes of an output channel, given with the number of them. The
/// tiles are those of `runs`, from the lanes given with them on.
#[inline(always)]
fn write_pixels<V: Lanes>(
    mut pixels: Pixels<V>,
    runs: &[(usize, Run)],
    channel: (usize, usize),
    plane: [usize; 2],
    output: Output,
) {
    if let Finish::Relu = output.finish {
        for y in 0..TILE {
            for x in 0..TILE {
                pixels[y][x] = pixels[y][x].relu();
            }
        }
    }
    let gated = matches!(output.finish, Finish::Gate);
    for y in 0..TILE {
        let pixels_of = |run: &Run| {
            let row = row_of(run, y, TILE, channel, plane);
            // SAFETY: tiles of this block in a plane of the output.
            unsafe { std::slice::from_raw_parts_mut(output.pixels.add(row.start), row.len()) }
        };
        if let ([(_, run)], false) = (runs, gated)
            && let Some(to) = pixels_of(run).as_mut_array::<{ TILE * LANES }>()
        {
            V::gather(pixels[y], to);
            continue;
        }
        let mut tiles = [[0.0; TILE]; LANES];
        let line = tiles.as_flattened_mut();
        V::gather(pixels[y], line.try_into().expect("a vector of tiles"));
        for (lane, run) in runs {
            let to = pixels_of(run);
            let keep = |to: f32, pixel: f32| if !gated || to > 0.0 { pixel } else { 0.0 };
            let (whole, rest) = to.as_chunks_mut::<TILE>();
            let (of_whole, of_rest) = tiles[*lane..].split_at(whole.len());
            for (to, pixels) in whole.iter_mut().zip(of_whole) {
                *to = std::array::from_fn(|x| keep(to[x], pixels[x]));
            }
            for (to, pixel) in rest.iter_mut().zip(of_rest.as_flattened()) {
                *to = keep(*to, *pixel);
            }
        }
    }
}

/// As above, for the maxima of 2 x 2 pixels and their positions.
#[inline(always)]
fn write_maxima<V: Lanes>(
    pixels: Pixels<V>,
    runs: &[(usize, Run)],
    channel: (usize, usize),
    plane: [usize; 2],
    output: Output,
) {
    const HALF: usize = TILE / 2;
    let plane = plane.map(|size| size / 2);
    for (y, pixels) in pixels.as_chunks::<2>().0.iter().enumerate() {
        let mut maxima = [[0.0; LANES]; HALF];
        let mut places = [[0.0; LANES]; HALF];
        for x in 0..HALF {
            let [upper, lower] = pixels.map(|row| [row[2 * x], row[2 * x + 1]]);
            let (most, place) = V::first_max([upper[0], upper[1], lower[0], lower[1]]);
            maxima[x] = most.relu().store();
            places[x] = place.store();
        }
        for (lane, run) in runs {
            let row = row_of(run, y, HALF, channel, plane);
            // SAFETY: tiles of this block in a plane of the output.
            let (to, at) = unsafe {
                (
                    std::slice::from_raw_parts_mut(output.pixels.add(row.start), row.len()),
                    std::slice::from_raw_parts_mut(output.places.add(row.start), row.len()),
                )
            };
            for (column, (to, at)) in to.iter_mut().zip(at).enumerate() {
                let (lane, x) = (lane + column / HALF, column % HALF);
                *to = maxima[x][lane];
                *at = if *to > 0.0 {
                    places[x][lane] as u8
                } else {
                    NOWHERE
                };
            }
        }
    }
}
