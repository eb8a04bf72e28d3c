//! Inputs and gradients at the points, with channels in the lanes of vectors.

use std::ops::Range;

use rayon::prelude::*;

use super::super::points::{gradient_to_points, to_points};
use super::super::sizes::{POINTS, TILE};
use super::sizes::{CHUNK, PANEL, STEP};
use crate::network::kernels::ConvSizes;
use crate::network::simd::{Aligned, LANES, Lanes, dispatch, lanes_at_mut};

/// Pixels side by side of the tiles of a chunk, in whole vectors.
const WIDTH: usize = TILE * CHUNK + LANES;

/// One number of each of 16 channels, in one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Pixel([f32; LANES]);

impl Pixel {
    const ZERO: Self = Self([0.0; LANES]);
}

/// Room for a task.
pub(super) struct Room {
    /// The pixels of the tiles that are transformed together, row by row.
    pixels: Vec<Pixel>,
    /// Each column of a row of tiles at the points.
    columns: Vec<[Pixel; WIDTH]>,
}

impl Room {
    pub fn new() -> Self {
        Self {
            // Tiles in one row have the most pixels.
            pixels: vec![Pixel::ZERO; POINTS * WIDTH],
            columns: vec![[Pixel::ZERO; WIDTH]; POINTS],
        }
    }
}

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
    pub fn transform(&self, first: usize, tiles: usize, to: &mut Aligned) {
        let blocks = self.blocks();
        let len = tiles.div_ceil(CHUNK) * blocks * STEP;
        to.grow(len);
        let tasks = to[..len].par_chunks_mut(STEP).enumerate();
        tasks.for_each_init(Room::new, |room, (task, to)| {
            let start = task / blocks * CHUNK;
            let count = CHUNK.min(tiles - start);
            // Missing tiles contribute nothing.
            to[..if count < CHUNK { STEP } else { 0 }].fill(0.0);
            let tiles = first + start..first + start + count;
            transform(self, tiles, task % blocks, room, to);
        });
    }
}

/// Tiles of 16 channels to `to` `[point][tile][16]`.
#[inline(always)]
fn transform_tiles<V: Lanes, const S: usize>(
    side: &Side,
    tiles: Range<usize>,
    block: usize,
    room: &mut Room,
    to: &mut [f32],
) {
    let [rows, columns] = side.tiles;
    let mut done = 0;
    while done < tiles.len() {
        let tile = tiles.start + done;
        let (image, row, column) = (
            tile / (rows * columns),
            tile / columns % rows,
            tile % columns,
        );
        let left = tiles.len() - done;
        // Tiles side by side in one row of tiles, and rows of tiles of one image that are whole.
        let across = (columns - column).min(left);
        let down = if across < columns {
            1
        } else {
            (left / columns).min(rows - row)
        };
        let size = [down, across].map(|tiles| TILE * (tiles - 1) + S);
        read::<V>(side, image, block, [row, column], size, &mut room.pixels);
        for down in 0..down {
            transform_row::<V, S>(
                &room.pixels[TILE * down * size[1]..],
                size[1],
                &mut room.columns,
                &mut to[(done + down * across) * LANES..],
            );
        }
        done += down * across;
    }
}

/// Tiles side by side. Their rows of pixels have this width.
#[inline(always)]
fn transform_row<V: Lanes, const S: usize>(
    pixels: &[Pixel],
    width: usize,
    columns: &mut [[Pixel; WIDTH]],
    to: &mut [f32],
) {
    for x in 0..width {
        let mut column = [V::splat(0.0); S];
        for y in 0..S {
            column[y] = V::load(&pixels[y * width + x].0);
        }
        let column = points(column);
        for y in 0..POINTS {
            columns[y][x].0 = column[y].store();
        }
    }
    for tile in 0..(width - S) / TILE + 1 {
        for y in 0..POINTS {
            let mut row = [V::splat(0.0); S];
            for x in 0..S {
                row[x] = V::load(&columns[y][TILE * tile + x].0);
            }
            let row = points(row);
            for x in 0..POINTS {
                *lanes_at_mut(to, (y * POINTS + x) * PANEL + tile * LANES) = row[x].store();
            }
        }
    }
}

#[inline(always)]
pub(super) fn transform_with<V: Lanes>(
    side: &Side,
    tiles: Range<usize>,
    block: usize,
    room: &mut Room,
    to: &mut [f32],
) {
    match side.size {
        POINTS => transform_tiles::<V, POINTS>(side, tiles, block, room, to),
        _ => transform_tiles::<V, TILE>(side, tiles, block, room, to),
    }
}
dispatch!(pub(super) transform, transform_with, (side: &Side, tiles: Range<usize>, block: usize, room: &mut Room, to: &mut [f32]) -> ());

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

/// The pixels of the tiles that begin at `tile`, of 16 channels: `[row][column][channel]`. Outside of the plane, they
/// are 0.
#[inline(always)]
fn read<V: Lanes>(
    side: &Side,
    image: usize,
    block: usize,
    tile: [usize; 2],
    [height, width]: [usize; 2],
    to: &mut [Pixel],
) {
    let [h, w] = side.plane;
    let [top, left] = [0, 1].map(|axis| (tile[axis] * TILE) as isize - side.padding[axis] as isize);
    let inside = |first: isize, len: usize, size: usize| {
        let place = |at: isize| at.clamp(0, size as isize) as usize;
        place(first)..place(first + len as isize)
    };
    let (rows, columns) = (inside(top, height, h), inside(left, width, w));
    let first = block * LANES;
    let channels = LANES.min(side.channels - first);
    let planes = &side.pixels[(image * side.channels + first) * h * w..][..channels * h * w];

    let (above, before) = (
        (rows.start as isize - top) as usize,
        (columns.start as isize - left) as usize,
    );
    if rows.len() < height || columns.len() < width {
        to[..height * width].fill(Pixel::ZERO);
    }
    // Whole rows are one piece of memory, and fill more vectors than each row alone.
    let (count, len) = if columns.len() == w {
        (1, rows.len() * w)
    } else {
        (rows.len(), columns.len())
    };
    for piece in 0..count {
        let start = (rows.start + piece) * w + columns.start;
        let (mut row, mut column) = (above + piece, 0);
        for at in (0..len).step_by(LANES) {
            let mut vectors = [V::splat(0.0); LANES];
            for channel in 0..LANES {
                if channel < channels {
                    let pixels = &planes[channel * h * w + start..][..len];
                    vectors[channel] = V::load_part(pixels, at as isize);
                }
            }
            for pixel in &V::transpose(vectors)[..LANES.min(len - at)] {
                to[row * width + before + column].0 = pixel.store();
                column += 1;
                if column == columns.len() {
                    (row, column) = (row + 1, 0);
                }
            }
        }
    }
}
