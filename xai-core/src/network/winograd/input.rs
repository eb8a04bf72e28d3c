//! The transform of the input.

use std::ops::Range;

use super::points::to_points;
use super::tiles::{Block, Layout, Run};
use super::{POINTS, Scratch, TILE};
use crate::network::kernels::Shape;
use crate::network::lanes::{LANES, Lanes, dispatch, lanes_at, lanes_at_mut};
use crate::network::region::Region;

/// Outside of `inside`, whose images `x`'s are in turn, `x` counts as 0.
#[inline(always)]
pub(super) fn transform_inputs_with<V: Lanes>(
    x: &[f32],
    inside: &Region,
    shape: &Shape,
    block: &Block,
    layout: Layout,
    scratch: &mut Scratch,
) {
    let [h, w] = shape.plane;
    for channel in 0..shape.input {
        for (at, run) in block.placed() {
            let plane = &x[(run.image * shape.input + channel) * h * w..][..h * w];
            transform_columns::<V>(plane, inside, shape, run, layout, &mut scratch.lines);
            let to = &mut scratch.inputs[channel * layout.pitch + at..];
            transform_rows::<V>(run.columns.len(), layout, &scratch.lines, to);
        }
    }
}
dispatch!(pub(super) transform_inputs, transform_inputs_with, (x: &[f32], inside: &Region, shape: &Shape, block: &Block, layout: Layout, scratch: &mut Scratch) -> ());

/// Six rows of pixels to six lines, each a point of the columns' transform.
#[inline(always)]
fn transform_columns<V: Lanes>(
    plane: &[f32],
    inside: &Region,
    shape: &Shape,
    run: &Run,
    layout: Layout,
    lines: &mut [f32],
) {
    let first = |tile: usize, axis: usize| (tile * TILE) as isize - shape.padding[axis] as isize;
    let (top, left) = (first(run.row, 0), first(run.columns.start, 1));
    let [h, w] = shape.plane;
    let rows: [(&[f32], Range<usize>); POINTS] =
        std::array::from_fn(|y| match usize::try_from(top + y as isize) {
            Ok(row) if row < h => {
                let span = inside.span(run.image % inside.images(), row);
                (&plane[row * w..][..w], span)
            }
            _ => (&plane[..0], 0..0),
        });
    let mut vectors = [V::splat(0.0); POINTS];
    for at in (0..TILE * run.columns.len() + 2).step_by(LANES) {
        for y in 0..POINTS {
            let (line, span) = &rows[y];
            vectors[y] = pixels(line, span, left + at as isize);
        }
        let points = to_points(vectors);
        for y in 0..POINTS {
            *lanes_at_mut(lines, y * layout.line + at) = points[y].store();
        }
    }
}

/// Pixels from `column` on, zeros outside of `span`.
#[inline(always)]
pub(super) fn pixels<V: Lanes>(line: &[f32], span: &Range<usize>, column: isize) -> V {
    if column >= span.start as isize && column + LANES as isize <= span.end as isize {
        return V::load(lanes_at(line, column as usize));
    }
    let mut lanes = [0.0; LANES];
    let first = span.start.max(column.max(0) as usize);
    let end = span.end.min((column + LANES as isize).max(0) as usize);
    if first < end {
        let at = (first as isize - column) as usize;
        lanes[at..at + end - first].copy_from_slice(&line[first..end]);
    }
    V::load(&lanes)
}

/// The lines of a run of tiles to its points.
#[inline(always)]
fn transform_rows<V: Lanes>(tiles: usize, layout: Layout, lines: &[f32], to: &mut [f32]) {
    // The last vector of tiles overlaps the one before; where there is only one, what it computes
    // beyond the run is overwritten by the next run.
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
        if tile + LANES >= tiles {
            break;
        }
        tile = (tile + LANES).min(tiles - LANES);
    }
}
