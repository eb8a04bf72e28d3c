//! Inputs and gradients at the points, with channels in the lanes of vectors.

use std::ops::Range;

use rayon::prelude::*;

use super::super::input::pixels;
use super::super::points::{gradient_to_points, to_points};
use super::super::sizes::{POINTS, TILE};
use super::sizes::{CHUNK, PANEL, STEP, grow};
use crate::network::kernels::ConvSizes;
use crate::network::simd::{LANES, Lanes, dispatch, lanes_at_mut};

/// Pixels side by side of the tiles of a chunk, in whole vectors.
pub(super) const WIDTH: usize = TILE * CHUNK + LANES;

/// Pixels side by side, of 16 channels.
pub(super) type Line = [[f32; LANES]; WIDTH];

/// Both sides of the products.
pub(super) fn sides<'a>(x: &'a [f32], g: &'a [f32], shape: &ConvSizes) -> (Side<'a>, Side<'a>) {
    let tiles = shape.out_plane().map(|size| size.div_ceil(TILE));
    let x = Side {
        pixels: x,
        channels: shape.input,
        plane: shape.plane,
        padding: shape.padding,
        tiles,
        size: POINTS,
    };
    let g = Side {
        pixels: g,
        channels: shape.output,
        plane: shape.out_plane(),
        padding: [0, 0],
        tiles,
        size: TILE,
    };
    (x, g)
}

/// The input, or the gradient with respect to the output.
pub(super) struct Side<'a> {
    /// `[image][channel][row][column]`.
    pixels: &'a [f32],
    channels: usize,
    /// Rows and columns.
    plane: [usize; 2],
    /// Zeros around it.
    padding: [usize; 2],
    /// Rows and columns of tiles of the output.
    pub tiles: [usize; 2],
    /// Rows and columns of a tile: [`POINTS`] for the input, [`TILE`] for the gradient.
    size: usize,
}

impl Side<'_> {
    /// Vectors of channels.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// The points of `tiles` tiles, starting at the tile `first`.
    pub fn transform(&self, first: usize, tiles: usize, to: &mut Vec<f32>) {
        let blocks = self.blocks();
        let len = tiles.div_ceil(CHUNK) * blocks * STEP;
        grow(to, len);
        let tasks = to[..len].par_chunks_mut(STEP).enumerate();
        let lines = || vec![[[0.0; LANES]; WIDTH]; POINTS];
        tasks.for_each_init(lines, |lines, (task, to)| {
            let start = task / blocks * CHUNK;
            let count = CHUNK.min(tiles - start);
            // Missing tiles contribute nothing.
            to[..if count < CHUNK { STEP } else { 0 }].fill(0.0);
            let tiles = first + start..first + start + count;
            transform(self, tiles, task % blocks, lines, to);
        });
    }
}

/// Tiles of 16 channels to `to` `[point][tile][16]`.
#[inline(always)]
fn transform_tiles<V: Lanes, const S: usize>(
    side: &Side,
    tiles: Range<usize>,
    block: usize,
    lines: &mut [Line],
    to: &mut [f32],
) {
    let [rows, columns] = side.tiles;
    let mut done = 0;
    while done < tiles.len() {
        // Tiles side by side in one row of tiles.
        let tile = tiles.start + done;
        let (image, row, column) = (
            tile / (rows * columns),
            tile / columns % rows,
            tile % columns,
        );
        let run = (columns - column).min(tiles.len() - done);
        let width = TILE * (run - 1) + S;
        read_lines::<V, S>(side, image, block, [row, column], width, lines);
        for x in 0..width {
            let mut column = [V::splat(0.0); S];
            for y in 0..S {
                column[y] = V::load(&lines[y][x]);
            }
            let column = points(column);
            for y in 0..POINTS {
                lines[y][x] = column[y].store();
            }
        }
        for tile in 0..run {
            for y in 0..POINTS {
                let mut row = [V::splat(0.0); S];
                for x in 0..S {
                    row[x] = V::load(&lines[y][TILE * tile + x]);
                }
                let row = points(row);
                for x in 0..POINTS {
                    let at = (y * POINTS + x) * PANEL + (done + tile) * LANES;
                    *lanes_at_mut(to, at) = row[x].store();
                }
            }
        }
        done += run;
    }
}

#[inline(always)]
pub(super) fn transform_with<V: Lanes>(
    side: &Side,
    tiles: Range<usize>,
    block: usize,
    lines: &mut [Line],
    to: &mut [f32],
) {
    match side.size {
        POINTS => transform_tiles::<V, POINTS>(side, tiles, block, lines, to),
        _ => transform_tiles::<V, TILE>(side, tiles, block, lines, to),
    }
}
dispatch!(pub(super) transform, transform_with, (side: &Side, tiles: Range<usize>, block: usize, lines: &mut [Line], to: &mut [f32]) -> ());

/// Transforms inputs, with six per line of a tile, or gradients, with four, to their points.
#[inline(always)]
fn points<V: Lanes, const S: usize>(line: [V; S]) -> [V; POINTS] {
    let mut d = [V::splat(0.0); POINTS];
    d[..S].copy_from_slice(&line);
    match S {
        POINTS => to_points(d),
        _ => gradient_to_points([d[0], d[1], d[2], d[3]]),
    }
}

/// The pixels of the tiles that begin at `tile`, of 16 channels: `[row][column][channel]`.
#[inline(always)]
fn read_lines<V: Lanes, const S: usize>(
    side: &Side,
    image: usize,
    block: usize,
    tile: [usize; 2],
    width: usize,
    lines: &mut [Line],
) {
    let [h, w] = side.plane;
    let [top, left] = [0, 1].map(|axis| (tile[axis] * TILE) as isize - side.padding[axis] as isize);
    let first = block * LANES;
    let channels = LANES.min(side.channels - first);
    let planes = &side.pixels[(image * side.channels + first) * h * w..][..channels * h * w];
    for y in 0..S {
        let row = usize::try_from(top + y as isize)
            .ok()
            .filter(|row| *row < h);
        for at in (0..width).step_by(LANES) {
            let mut vectors = [V::splat(0.0); LANES];
            if let Some(row) = row {
                for channel in 0..channels {
                    let line = &planes[channel * h * w + row * w..][..w];
                    vectors[channel] = pixels(line, &(0..w), left + at as isize);
                }
            }
            let vectors = V::transpose(vectors);
            for x in 0..LANES {
                lines[y][at + x] = vectors[x].store();
            }
        }
    }
}
