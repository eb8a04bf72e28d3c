//! Which tiles are computed by which task, and their layout in its memory.

use std::ops::Range;

use super::sizes::{OUTPUTS, TILE, VECTORS};
use crate::network::kernels::ConvSizes;
use crate::network::region::Region;
use crate::network::simd::LANES;

/// Adjacent tiles in one row of tiles of one image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub image: usize,
    /// The row of tiles.
    pub row: usize,
    /// The columns of tiles.
    pub columns: Range<usize>,
}

/// The work of one task.
pub(super) struct Block {
    pub runs: Vec<Run>,
    /// Output channels; begins at a multiple of [`OUTPUTS`].
    pub outputs: Range<usize>,
}

impl Block {
    /// The runs, each with the index of its first tile in the block.
    pub fn placed(&self) -> impl Iterator<Item = (usize, &Run)> {
        let mut next = 0;
        self.runs.iter().map(move |run| {
            let at = next;
            next += run.columns.len();
            (at, run)
        })
    }

    /// The part of the runs in each vector of tiles: the lane of the first tile, and the tiles.
    pub fn vectors(&self) -> Vec<Vec<(usize, Run)>> {
        let mut vectors = vec![Vec::new(); self.tiles().div_ceil(LANES)];
        for (at, run) in self.placed() {
            let mut done = 0;
            while done < run.columns.len() {
                let (vector, lane) = ((at + done) / LANES, (at + done) % LANES);
                let count = (LANES - lane).min(run.columns.len() - done);
                let first = run.columns.start + done;
                let part = Run {
                    columns: first..first + count,
                    ..*run
                };
                vectors[vector].push((lane, part));
                done += count;
            }
        }
        vectors
    }

    /// The number of tiles.
    pub fn tiles(&self) -> usize {
        self.runs.iter().map(|run| run.columns.len()).sum()
    }
}

/// The tasks for the tiles that `region` touches. Its images belong to those of the convolution in
/// turn.
pub(super) fn blocks(shape: &ConvSizes, region: &Region) -> Vec<Block> {
    let rows = shape.out_plane()[0].div_ceil(TILE);
    let runs = (0..shape.n * rows).filter_map(|at| {
        let (image, row) = (at / rows, at % rows);
        let span = region.hull(image % region.images(), row * TILE..(row + 1) * TILE);
        let columns = span.start / TILE..span.end.div_ceil(TILE);
        (!columns.is_empty()).then_some(Run {
            image,
            row,
            columns,
        })
    });
    let runs: Vec<Run> = runs.collect();
    if runs.is_empty() {
        return Vec::new();
    }
    // All blocks have equal size, in whole vectors.
    let tiles: usize = runs.iter().map(|run| run.columns.len()).sum();
    let count = tiles.div_ceil(VECTORS * LANES);
    let each = tiles.div_ceil(count).next_multiple_of(LANES);
    let groups = cut(runs, each);
    // If there are few blocks, threads share them by output channels.
    let parts = shape.output.div_ceil(OUTPUTS);
    let parts_each = (parts * groups.len() / 4).clamp(1, parts);
    groups
        .into_iter()
        .flat_map(|runs| {
            (0..parts).step_by(parts_each).map(move |part| Block {
                runs: runs.clone(),
                outputs: part * OUTPUTS..shape.output.min((part + parts_each) * OUTPUTS),
            })
        })
        .collect()
}

/// Groups of `each` tiles. A run that does not fit is split.
fn cut(runs: Vec<Run>, each: usize) -> Vec<Vec<Run>> {
    let mut groups = vec![Vec::new()];
    let mut left = each;
    for mut run in runs {
        while !run.columns.is_empty() {
            if left == 0 {
                groups.push(Vec::new());
                left = each;
            }
            let end = run.columns.end.min(run.columns.start + left);
            let first = Run {
                columns: run.columns.start..end,
                ..run
            };
            left -= first.columns.len();
            run.columns.start = end;
            groups.last_mut().expect("at least one").push(first);
        }
    }
    groups
}

/// The memory layout of a block.
#[derive(Clone, Copy)]
pub(super) struct BlockSizes {
    /// The distance between channels: all tiles of the block, in whole vectors.
    pub pitch: usize,
    /// The distance between points of the inputs. It is an odd number of vectors: at a power of 2,
    /// all points would compete for the same cache lines. The same holds for products.
    pub input_step: usize,
    /// The distance between points of the products.
    pub product_step: usize,
    /// The distance between lines of pixels while inputs are transformed.
    pub line: usize,
}

impl BlockSizes {
    pub fn new(shape: &ConvSizes, block: &Block) -> Self {
        let pitch = block.tiles().div_ceil(LANES) | 1;
        Self {
            pitch: pitch * LANES,
            input_step: ((shape.input * pitch) | 1) * LANES,
            product_step: ((OUTPUTS * pitch) | 1) * LANES,
            // The last run is written in whole vectors of pixels, and read in whole vectors of tiles.
            line: TILE * block.tiles().next_multiple_of(LANES) + 2 * LANES,
        }
    }
}
