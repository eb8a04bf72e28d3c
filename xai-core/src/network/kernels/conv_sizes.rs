//! The sizes of a convolution, and its input as padded lines.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::PLANES;
use crate::network::simd::{LANES, Lanes, dispatch};

/// Vectors of positions of a tile of sums. Registers hold the tile with AVX-512, and parts of it otherwise; see
/// `add_products`.
pub(super) const RUN: usize = 3;
/// Positions computed at a time.
pub(super) const BLOCK: usize = RUN * LANES;

/// The padded input of one group of images, in numbers, so that it fits into a core's second-level
/// cache.
pub(super) const GROUP_FLOATS: usize = 128 * 1024;

/// The sizes of a convolution with stride 1 and a square or rectangular kernel.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct ConvSizes {
    /// Images.
    pub n: usize,
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Input rows and columns.
    pub plane: [usize; 2],
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Zeros around the input.
    pub padding: [usize; 2],
}

impl ConvSizes {
    /// Rows and columns of the output.
    pub fn out_plane(&self) -> [usize; 2] {
        let [h, w] = self.padded();
        [h + 1 - self.kernel[0], w + 1 - self.kernel[1]]
    }

    /// The convolution that computes the gradient of this one with respect to its input.
    pub fn backward(&self) -> Self {
        let [rows, columns] = [0, 1].map(|axis| self.kernel[axis] - 1 - self.padding[axis]);
        Self {
            input: self.output,
            output: self.input,
            plane: self.out_plane(),
            padding: [rows, columns],
            ..*self
        }
    }

    pub(super) fn padded(&self) -> [usize; 2] {
        [
            self.plane[0] + 2 * self.padding[0],
            self.plane[1] + 2 * self.padding[1],
        ]
    }

    /// Rows and columns of a plane if planes follow each other in a line. The zeros on the left of a row are also those on the
    /// right of the row before it, and the zeros above a plane are also those below the one before it.
    pub(super) fn in_line(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let zeros = self.padding[axis];
            // A row of the output is not longer than this sum, and a kernel reaches no further than the zeros that follow.
            self.plane[axis] + zeros.max((2 * zeros + 1).saturating_sub(self.kernel[axis]))
        })
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The reach of a kernel along the line, plus the overhang of a vector block.
    pub(super) fn slack(&self) -> usize {
        (self.kernel[0] - 1) * self.padded()[1] + self.kernel[1] - 1 + BLOCK
    }

    /// Images computed together by one thread. There are at least enough groups for two threads.
    pub(super) fn group(&self, channels: usize) -> usize {
        let len = self.padded()[0] * self.padded()[1];
        let fit = GROUP_FLOATS / (channels * len).max(1);
        fit.clamp(1, 16).min(self.n.div_ceil(2)).max(1)
    }
}

/// Copies planes `[image][channel][h][w]` into padded lines `[channel][image][ph][pw]`, each followed by `slack` zeros. `ph` and
/// `pw` are the rows from one plane to the next, and the pixels from one row to the next. `top` and `left` are the place of the
/// first pixel in a padded plane.
pub(super) fn pad(
    source: &[f32],
    images: usize,
    channels: usize,
    [h, w]: [usize; 2],
    [ph, pw]: [usize; 2],
    [top, left]: [usize; 2],
    slack: usize,
) -> Vec<f32> {
    assert_eq!(source.len(), images * channels * h * w);
    let line = images * ph * pw + slack;
    let mut padded = Vec::with_capacity(channels * line);
    padded.spare_capacity_mut()[..channels * line]
        .par_chunks_mut(line)
        .enumerate()
        .with_min_len(PLANES)
        .for_each(|(channel, padded)| {
            let planes = source.chunks_exact(h * w).skip(channel);
            let mut written = 0;
            for (image, plane) in planes.step_by(channels).take(images).enumerate() {
                let first = (image * ph + top) * pw + left;
                padded[written..first].fill(MaybeUninit::new(0.0));
                pad_plane(plane, w, pw, &mut padded[first..]);
                written = first + (h - 1) * pw + w;
            }
            padded[written..].fill(MaybeUninit::new(0.0));
        });
    // SAFETY: every number has been written.
    unsafe { padded.set_len(channels * line) };
    padded
}

/// Copies a plane whose rows have `w` pixels. They begin every `pitch` pixels, with zeros between them.
#[inline(always)]
fn pad_plane_with<V: Lanes>(plane: &[f32], w: usize, pitch: usize, to: &mut [MaybeUninit<f32>]) {
    for (row, pixels) in plane.chunks_exact(w).enumerate() {
        if row > 0 {
            to[(row - 1) * pitch + w..row * pitch].fill(MaybeUninit::new(0.0));
        }
        let to = &mut to[row * pitch..][..w];
        let ((pixels, last), (to, last_to)) = (pixels.as_chunks(), to.as_chunks_mut::<LANES>());
        for (to, pixels) in to.iter_mut().zip(pixels) {
            V::load(pixels).write(to);
        }
        for (to, pixel) in last_to.iter_mut().zip(last) {
            to.write(*pixel);
        }
    }
}
dispatch!(pad_plane, pad_plane_with, (plane: &[f32], w: usize, pitch: usize, to: &mut [MaybeUninit<f32>]) -> ());

/// The flat offset of each kernel tap in a line whose rows begin every `pitch` numbers.
pub(super) fn tap_offsets(shape: &ConvSizes, pitch: usize) -> Vec<usize> {
    (0..shape.kernel[0])
        .flat_map(|ky| (0..shape.kernel[1]).map(move |kx| ky * pitch + kx))
        .collect()
}
