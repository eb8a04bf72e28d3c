//! The transform of the input.

use std::ops::Range;

use super::points::to_points;
use super::scratch::Scratch;
use super::sizes::{POINTS, TILE};
use super::tiles::{Block, BlockSizes, Run};
use crate::network::kernels::ConvSizes;
use crate::network::region::Region;
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at_mut};

/// Outside of `inside`, whose images belong to those of `x` in turn, `x` counts as 0.
#[inline(always)]
pub(super) fn transform_inputs_with<V: Lanes>(
    x: &[f32],
    inside: &Region,
    shape: &ConvSizes,
    block: &Block,
    layout: BlockSizes,
    scratch: &mut Scratch,
) {
    let len = shape.plane[0] * shape.plane[1];
    let starts = block.starts();
    let runs: Vec<InPlane> = (block.in_lines())
        .map(|(at, run)| InPlane::new(at, run, inside, shape))
        .collect();
    for channel in 0..shape.input {
        for run in &runs {
            let plane = &x[(run.image * shape.input + channel) * len..][..len];
            transform_columns::<V>(plane, run, layout, &mut scratch.lines);
        }
        let to = &mut scratch.inputs[channel * layout.pitch..];
        transform_rows::<V>(&starts, layout, &scratch.lines, to);
    }
}
dispatch!(pub(super) transform_inputs, transform_inputs_with, (x: &[f32], inside: &Region, shape: &ConvSizes, block: &Block, layout: BlockSizes, scratch: &mut Scratch) -> ());

/// Where the pixels of a run are, the same in every channel.
struct InPlane {
    /// The position of the first one in a line of pixels.
    at: usize,
    image: usize,
    /// Pixels side by side.
    width: usize,
    /// The part of each row that does not count as 0: its place in the plane, and the column of the first
    /// pixel of the run within it.
    rows: [(Range<usize>, isize); POINTS],
}

impl InPlane {
    fn new(at: usize, run: &Run, inside: &Region, shape: &ConvSizes) -> Self {
        let first =
            |tile: usize, axis: usize| (tile * TILE) as isize - shape.padding[axis] as isize;
        let (top, left) = (first(run.row, 0), first(run.columns.start, 1));
        let [h, w] = shape.plane;
        let rows = std::array::from_fn(|y| match usize::try_from(top + y as isize) {
            Ok(row) if row < h => {
                let span = inside.span(run.image % inside.images(), row);
                let column = left - span.start as isize;
                (row * w + span.start..row * w + span.end, column)
            }
            _ => (0..0, 0),
        });
        Self {
            at,
            image: run.image,
            width: TILE * run.columns.len() + 2,
            rows,
        }
    }
}

/// Transforms six rows of pixels to six lines, one per point of the columns' transform.
#[inline(always)]
fn transform_columns<V: Lanes>(
    plane: &[f32],
    run: &InPlane,
    layout: BlockSizes,
    lines: &mut [f32],
) {
    let mut vectors = [V::splat(0.0); POINTS];
    for at in (0..run.width).step_by(LANES) {
        for y in 0..POINTS {
            let (row, column) = &run.rows[y];
            vectors[y] = V::load_part(&plane[row.clone()], column + at as isize);
        }
        let points = to_points(vectors);
        for y in 0..POINTS {
            *lanes_at_mut(lines, y * layout.line + run.at + at) = points[y].store();
        }
    }
}

/// Pixels from `column` on, zeros outside of `span`.
#[inline(always)]
pub(super) fn pixels<V: Lanes>(line: &[f32], span: &Range<usize>, column: isize) -> V {
    V::load_part(&line[span.clone()], column - span.start as isize)
}

/// Transforms the lines to the points of all tiles, which begin at `starts`.
#[inline(always)]
fn transform_rows<V: Lanes>(starts: &[usize], layout: BlockSizes, lines: &[f32], to: &mut [f32]) {
    for (vector, starts) in starts.as_chunks::<LANES>().0.iter().enumerate() {
        for y in 0..POINTS {
            let line = &lines[y * layout.line..][..layout.line];
            let here = deal::<V>(line, starts);
            let next = deal::<V>(&line[TILE..], starts);
            let points = to_points([here[0], here[1], here[2], here[3], next[0], next[1]]);
            for x in 0..POINTS {
                let at = (y * POINTS + x) * layout.input_step + vector * LANES;
                *lanes_at_mut(to, at) = points[x].store();
            }
        }
    }
}

/// The four numbers from each of `starts` on, distributed to four vectors.
#[inline(always)]
fn deal<V: Lanes>(line: &[f32], starts: &[usize; LANES]) -> [V; TILE] {
    let first = starts[0];
    if starts[LANES - 1] == first + TILE * (LANES - 1) {
        let tiles = &line[first..first + TILE * LANES];
        return V::deal(tiles.try_into().expect("a vector of tiles"));
    }
    // Tiles from several runs.
    let mut tiles = [[0.0; TILE]; LANES];
    for (tile, &start) in tiles.iter_mut().zip(starts) {
        *tile = line[start..start + TILE].try_into().expect("one tile");
    }
    V::deal(tiles.as_flattened().try_into().expect("a vector of tiles"))
}
