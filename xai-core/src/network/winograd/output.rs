//! The transform of products into pixels, and the operations on these while they are in registers.

use std::ops::Range;

use super::points::from_points;
use super::scratch::Scratch;
use super::sizes::{POINTS, TILE};
use super::tiles::{Block, BlockSizes, Run};
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
    /// Sets the output to 0 where the number in its place, counted from here, is not above 0. It may be the memory of the
    /// output itself, and is read before the output is written.
    Gate(*const f32),
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

/// Pixels side by side of a vector of tiles in one row of an image, the same in every channel.
pub(super) struct Segment {
    /// The row within the tiles.
    row: usize,
    /// Their position among the pixels of this row of all tiles.
    from: usize,
    /// Their place in the output, if the channel is 0.
    to: usize,
    len: usize,
}

/// The segments of each vector of tiles.
pub(super) fn segments(block: &Block, shape: &ConvSizes, finish: Finish) -> Vec<Vec<Segment>> {
    let (size, [height, width]) = match finish {
        Finish::ReluPool => (TILE / 2, shape.out_plane().map(|size| size / 2)),
        _ => (TILE, shape.out_plane()),
    };
    let of_run = |(lane, run): &(usize, Run)| {
        let columns = run.columns.start * size..width.min(run.columns.end * size);
        let rows = size.min(height.saturating_sub(run.row * size));
        let rows = if columns.is_empty() { 0..0 } else { 0..rows };
        let (lane, first) = (*lane, run.image * shape.output * height + run.row * size);
        rows.map(move |row| Segment {
            row,
            from: lane * size,
            to: (first + row) * width + columns.start,
            len: columns.len(),
        })
    };
    let vectors = block.vectors();
    let vectors = vectors.iter();
    vectors
        .map(|runs| runs.iter().flat_map(of_run).collect())
        .collect()
}

/// Transforms the products of `outputs` into pixels. `vectors` are the [`segments`] of the block.
#[inline(always)]
pub(super) fn transform_products_with<V: Lanes>(
    bias: Option<&[f32]>,
    shape: &ConvSizes,
    vectors: &[Vec<Segment>],
    outputs: &Range<usize>,
    layout: BlockSizes,
    scratch: &mut Scratch,
    output: Output,
) {
    let [height, width] = shape.out_plane();
    for out in outputs.clone() {
        let bias = V::splat(bias.map_or(0.0, |bias| bias[out]));
        let products = &scratch.products[(out - outputs.start) * layout.pitch..];
        for (vector, segments) in vectors.iter().enumerate() {
            let pixels = tiles_of(products, vector * LANES, bias, layout);
            match output.finish {
                Finish::ReluPool => {
                    write_maxima(pixels, segments, out * (height / 2) * (width / 2), output);
                }
                _ => write_pixels(pixels, segments, out * height * width, output),
            }
        }
    }
}
dispatch!(pub(super) transform_products, transform_products_with, (bias: Option<&[f32]>, shape: &ConvSizes, vectors: &[Vec<Segment>], outputs: &Range<usize>, layout: BlockSizes, scratch: &mut Scratch, output: Output) -> ());

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

/// Writes a vector of tiles. The plane of their channel begins at `plane`.
#[inline(always)]
fn write_pixels<V: Lanes>(
    mut pixels: Pixels<V>,
    segments: &[Segment],
    plane: usize,
    output: Output,
) {
    if let Finish::Relu = output.finish {
        for y in 0..TILE {
            for x in 0..TILE {
                pixels[y][x] = pixels[y][x].relu();
            }
        }
    }
    let mut rows = [[[0.0; LANES]; TILE + 1]; TILE];
    for y in 0..TILE {
        let row = rows[y].as_flattened_mut();
        V::gather(pixels[y], row.first_chunk_mut().expect("a vector of tiles"));
    }
    for segment in segments {
        let row = rows[segment.row].as_flattened();
        for first in (0..segment.len).step_by(LANES) {
            let (at, len) = (plane + segment.to + first, LANES.min(segment.len - first));
            let mut pixels = V::load(lanes_at(row, segment.from + first));
            if let Finish::Gate(gate) = output.finish {
                // SAFETY: as many numbers as the output has. This reference ends before the next one begins.
                let gate = unsafe { std::slice::from_raw_parts(gate.add(at), len) };
                pixels = pixels.gate(V::load_few(gate, 0));
            }
            // SAFETY: pixels of this block in a plane of the output.
            let to = unsafe { std::slice::from_raw_parts_mut(output.pixels.add(at), len) };
            pixels.store_few(to);
        }
    }
}

/// As above, for the maxima of 2 x 2 pixels and their positions.
#[inline(always)]
fn write_maxima<V: Lanes>(pixels: Pixels<V>, segments: &[Segment], plane: usize, output: Output) {
    const HALF: usize = TILE / 2;
    let zero = V::splat(0.0);
    let nowhere = V::splat(f32::from(NOWHERE));
    // Each row of maxima, and of their positions.
    let mut rows = [[[[0.0; LANES]; TILE + 1]; 2]; HALF];
    for y in 0..HALF {
        let [upper, lower] = [pixels[2 * y], pixels[2 * y + 1]];
        let mut lines = [[zero; HALF]; 2];
        for x in 0..HALF {
            let (left, right) = (2 * x, 2 * x + 1);
            let window = [upper[left], upper[right], lower[left], lower[right]];
            let (most, place) = V::first_max(window);
            lines[0][x] = most.relu();
            lines[1][x] = place.sub(nowhere).gate(most).add(nowhere);
        }
        for which in 0..2 {
            let (left, right) = (lines[which][0].store(), lines[which][1].store());
            let row = rows[y][which].as_flattened_mut();
            for lane in 0..LANES {
                row[HALF * lane] = left[lane];
                row[HALF * lane + 1] = right[lane];
            }
        }
    }
    for segment in segments {
        let [maxima, places] = &rows[segment.row];
        let (maxima, places) = (maxima.as_flattened(), places.as_flattened());
        let at = plane + segment.to;
        // SAFETY: pixels of this block in a plane of the output.
        let (to, to_places) = unsafe {
            (
                std::slice::from_raw_parts_mut(output.pixels.add(at), segment.len),
                std::slice::from_raw_parts_mut(output.places.add(at), segment.len),
            )
        };
        for (vector, to) in to.chunks_mut(LANES).enumerate() {
            V::load(lanes_at(maxima, segment.from + vector * LANES)).store_few(to);
        }
        let places = &places[segment.from..][..segment.len];
        for (to, place) in to_places.iter_mut().zip(places) {
            // SAFETY: 0 to 4.
            *to = unsafe { place.to_int_unchecked() };
        }
    }
}
