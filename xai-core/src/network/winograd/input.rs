//! The transform of the input.

use std::ops::Range;

use super::points::to_points;
use super::scratch::Scratch;
use super::sizes::{POINTS, TILE};
use super::tiles::{Block, BlockSizes, Run};
use crate::network::kernels::ConvSizes;
use crate::network::region::Region;
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut};

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
    let placed = block.placed();
    let pieces: Vec<Piece> = placed
        .flat_map(|(tile, run)| Piece::of_run(tile, run, inside, shape))
        .collect();
    let vectors = block.tiles().div_ceil(LANES);
    for channel in 0..shape.input {
        for piece in &pieces {
            let plane = &x[(piece.image * shape.input + channel) * len..][..len];
            transform_columns::<V>(plane, piece, layout, &mut scratch.lines);
        }
        let to = &mut scratch.inputs[channel * layout.pitch..];
        transform_rows::<V>(vectors, layout, &scratch.lines, to);
    }
}
dispatch!(pub(super) transform_inputs, transform_inputs_with, (x: &[f32], inside: &Region, shape: &ConvSizes, block: &Block, layout: BlockSizes, scratch: &mut Scratch) -> ());

/// Where six rows of a vector of pixels of a run are, the same in every channel.
struct Piece {
    image: usize,
    /// The position of the first pixel in a line.
    at: usize,
    /// Whether it is the first of its run.
    first: bool,
    /// Whether all pixels of all rows are in the plane and count.
    whole: bool,
    /// The pixels of each row that do not count as 0: their place in the plane, and the lane of the
    /// first one.
    rows: [(Range<usize>, usize); POINTS],
}

impl Piece {
    /// The pieces of a run whose first tile is the tile `tile` of the block.
    fn of_run(
        tile: usize,
        run: &Run,
        inside: &Region,
        shape: &ConvSizes,
    ) -> impl Iterator<Item = Self> {
        let first =
            |tile: usize, axis: usize| (tile * TILE) as isize - shape.padding[axis] as isize;
        let (top, left) = (first(run.row, 0), first(run.columns.start, 1));
        let [h, w] = shape.plane;
        let spans: [_; POINTS] = std::array::from_fn(|y| match usize::try_from(top + y as isize) {
            Ok(row) if row < h => {
                let span = inside.span(run.image % inside.images(), row);
                (row * w, span)
            }
            _ => (0, 0..0),
        });
        let image = run.image;
        let width = TILE * run.columns.len() + POINTS - TILE;
        (0..width).step_by(LANES).map(move |column| {
            let here = left + column as isize;
            let rows = spans.clone().map(|(row, span)| {
                let lane =
                    |column: usize| (column as isize - here).clamp(0, LANES as isize) as usize;
                let lanes = lane(span.start)..lane(span.end);
                if lanes.is_empty() {
                    return (0..0, 0);
                }
                let start = row + (here + lanes.start as isize) as usize;
                (start..start + lanes.len(), lanes.start)
            });
            Self {
                image,
                at: TILE * tile + column,
                first: column == 0,
                whole: rows.iter().all(|(pixels, _)| pixels.len() == LANES),
                rows,
            }
        })
    }
}

/// Transforms six rows of pixels to six lines, one per point of the columns' transform.
///
/// A line is in memory twice: four pixels for each tile, and the four pixels after these, of which the
/// last tile of a run has its own.
#[inline(always)]
fn transform_columns<V: Lanes>(
    plane: &[f32],
    piece: &Piece,
    layout: BlockSizes,
    lines: &mut [f32],
) {
    let mut vectors = [V::splat(0.0); POINTS];
    for y in 0..POINTS {
        let (pixels, lane) = &piece.rows[y];
        vectors[y] = if piece.whole {
            V::load(lanes_at(plane, pixels.start))
        } else {
            V::load_few(&plane[pixels.clone()], *lane)
        };
    }
    let points = to_points(vectors);
    for y in 0..POINTS {
        let (here, next) =
            lines[2 * y * layout.line..][..2 * layout.line].split_at_mut(layout.line);
        // What is written beyond the end of the run is overwritten by the next one.
        *lanes_at_mut(here, piece.at) = points[y].store();
        let next = lanes_at_mut(next, piece.at);
        // The first four pixels are not after a tile of this run.
        let before = next.first_chunk::<TILE>().copied();
        *next = points[y].store();
        if let (true, Some(before)) = (piece.first, before) {
            next[..TILE].copy_from_slice(&before);
        }
    }
}

/// Transforms the lines to the points of all tiles.
#[inline(always)]
fn transform_rows<V: Lanes>(vectors: usize, layout: BlockSizes, lines: &[f32], to: &mut [f32]) {
    for vector in 0..vectors {
        for y in 0..POINTS {
            let (here, next) =
                lines[2 * y * layout.line..][..2 * layout.line].split_at(layout.line);
            let here = deal::<V>(&here[vector * TILE * LANES..]);
            let next = deal::<V>(&next[vector * TILE * LANES + TILE..]);
            let points = to_points([here[0], here[1], here[2], here[3], next[0], next[1]]);
            for x in 0..POINTS {
                let at = (y * POINTS + x) * layout.input_step + vector * LANES;
                *lanes_at_mut(to, at) = points[x].store();
            }
        }
    }
}

/// The first numbers of a line, distributed to four vectors.
#[inline(always)]
fn deal<V: Lanes>(line: &[f32]) -> [V; TILE] {
    let tiles = &line[..TILE * LANES];
    V::deal(tiles.try_into().expect("a vector of tiles"))
}
