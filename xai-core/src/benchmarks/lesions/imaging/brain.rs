//! The brain of a real scan, and the axial slices that the benchmark takes from it.

use std::ops::Range;

use ndarray::{Array2, Array3, s};

use crate::benchmarks::lesions::imaging::cohort::{BRIGHTEST, PIXEL_MM, SLICE_SHAPE};
use crate::benchmarks::lesions::imaging::resample::sample;
use crate::benchmarks::lesions::imaging::{Affine, Slices, Volume};
use crate::error::{Error, Result};

/// Without a mask, at most this share of the voxels that are not 0 may be below 0. Spline
/// interpolation leaves some at the edge of a brain. In z-scores, about half of the brain is below
/// 0.
const MOST_BELOW_0: f64 = 0.1;
/// The possible volume of a human brain in litres, including newborns and the fluid around the
/// brain.
const LITRES: Range<f64> = 0.2..2.5;
/// Slices are taken where the brain's area is at least this share of its largest one. In Colin27,
/// this is from 36 to 127 mm.
const LEAST_AREA: f64 = 0.5;

/// Checks that the voxels above 0 can be the whole brain. In z-scores, they are half of it.
fn centred(scan: &Volume) -> Result<()> {
    let count = |of: fn(f32) -> bool| scan.voxels.iter().filter(|&&v| of(v)).count();
    let (below, all) = (count(|v| v < 0.0), count(|v| v != 0.0));
    if below as f64 > MOST_BELOW_0 * all as f64 {
        return Err(Error::invalid(format!(
            "{below} of its {all} voxels that are not 0 are below 0, as in z-scores, and without a mask only \
             voxels above 0 count as brain; give it a brain mask, or add a constant to the brain so that all its \
             voxels are above 0"
        )));
    }
    Ok(())
}

/// A scan without anything outside the brain, ready to be cut.
pub struct Brain {
    /// `[z, y, x]` with a border of one voxel: 0 outside the brain and above 0 in it.
    voxels: Array3<f32>,
    /// From millimetres to indices of `voxels`.
    to_voxel: Affine,
    /// The centre of the voxel closest to the brain's centre of mass (mm).
    centre_mm: [f64; 3],
    /// The distance between two planes of voxels (mm).
    plane_mm: f64,
}

impl Brain {
    /// The voxels of `scan` that are above 0, or at which `mask` is above 0.5 if there is a mask.
    ///
    /// Without a mask, the scan must be brain-extracted: 0 or less outside the brain.
    ///
    /// # Errors
    /// If an image without a mask has many grey values below 0; if a grey value of the brain is not
    /// finite; if there is no grey value; if the mask has another grid; if there is more or less
    /// brain than a person has.
    pub fn new(scan: Volume, mask: Option<Volume>) -> Result<Self> {
        let inside = match &mask {
            Some(mask) => {
                same_grid(&scan, mask)?;
                mask.voxels.mapv(|m| m > 0.5)
            }
            // Values that are not finite are checked below.
            None => scan.voxels.mapv(|v| !v.is_finite() || v > 0.0),
        };
        let masked = mask.is_some();
        if !masked {
            centred(&scan)?;
        }
        drop(mask);
        let Volume { voxels, affine } = scan;
        let brain = || {
            inside
                .indexed_iter()
                .filter(|(_, inside)| **inside)
                .map(|(at, _)| (at, voxels[at]))
        };

        let strange = brain().filter(|(_, v)| !v.is_finite()).count();
        if strange > 0 {
            return Err(Error::invalid(format!(
                "{strange} voxels are not a number or infinite; set those outside of the brain to 0 and repair the \
                 others, or give a brain mask that leaves them out"
            )));
        }
        let count = brain().count();
        let (low, high) = brain()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), (_, v)| {
                (low.min(v), high.max(v))
            });
        if count == 0 || low == high {
            return Err(Error::invalid(if masked {
                "the image or its mask is empty (no two different grey values in the mask); convert them again"
            } else {
                "the image is empty (no two different grey values above 0); convert it again"
            }));
        }
        let litres = count as f64 * affine.determinant().abs() * 1e-6;
        if !LITRES.contains(&litres) {
            let way_out = if litres > LITRES.end && !masked {
                "extract the brain first, or give the image a brain mask"
            } else {
                "check the size of the voxels, and the mask if there is one"
            };
            return Err(Error::invalid(format!(
                "{litres:.2} litres are {}, which is not the size of a human brain ({} to {} litres); {way_out}",
                if masked { "in the mask" } else { "above 0" },
                LITRES.start,
                LITRES.end
            )));
        }

        // Grey values of a masked brain may be negative (z-scores). The lowest is shifted above 0.
        let shift = if low > 0.0 {
            0.0
        } else {
            (high - low) * 1e-4 - low
        };
        let (nx, ny, nz) = voxels.dim();
        let mut bordered = Array3::zeros((nz + 2, ny + 2, nx + 2));
        let mut sum = [0.0; 3];
        for ((x, y, z), value) in brain() {
            bordered[(z + 1, y + 1, x + 1)] = value + shift;
            for (sum, index) in sum.iter_mut().zip([x, y, z]) {
                *sum += index as f64;
            }
        }
        let mut to_voxel = affine.inverse();
        to_voxel.offset = to_voxel.offset.map(|index| index + 1.0);
        Ok(Self {
            voxels: bordered,
            to_voxel,
            centre_mm: affine.apply(sum.map(|sum| (sum / count as f64).round())),
            plane_mm: affine.matrix[2][2].abs(),
        })
    }

    /// `count` evenly spaced axial slices of [`SLICE_SHAPE`] with 0.7 mm pixels, from the lowest to
    /// the highest.
    ///
    /// They are the centres of equal parts of the range in which the brain's area is at least half of
    /// its largest one. If the image is not oblique and has enough planes of voxels, each slice is cut
    /// at the plane closest to its height. Grey values are interpolated trilinearly between brain
    /// voxels, once, directly from the file's grid, in any orientation. Each slice is exactly 0 outside
    /// the brain and above 0 in it. Its brightest pixel is 0.7.
    ///
    /// # Errors
    /// If the brain extends beyond the frame of [`SLICE_SHAPE`], so that it would be cut off.
    pub fn slices(&self, count: usize) -> Result<Slices> {
        let (first_mm, step_mm) = self.heights(count);
        let mut images = Array3::zeros((count, SLICE_SHAPE[0], SLICE_SHAPE[1]));
        for (k, mut image) in images.outer_iter_mut().enumerate() {
            let height = first_mm + k as f64 * step_mm;
            // Of two planes that are equally close, the lower one, whatever the rounding.
            let planes = ((height - self.centre_mm[2]) / self.plane_mm - 1e-6).round();
            let plane = self.centre_mm[2] + planes * self.plane_mm;
            let enough_planes = step_mm >= self.plane_mm;
            image.assign(&self.slice(if enough_planes { plane } else { height }));
        }
        let [rows, columns] = SLICE_SHAPE;
        let frame = [
            images.slice(s![.., 0, ..]),
            images.slice(s![.., rows - 1, ..]),
            images.slice(s![.., .., 0]),
            images.slice(s![.., .., columns - 1]),
        ];
        if frame.iter().any(|edge| edge.iter().any(|&v| v > 0.0)) {
            return Err(Error::invalid(format!(
                "the brain reaches beyond {:.0} x {:.0} mm; check its orientation, and that it holds only the brain",
                rows as f32 * PIXEL_MM,
                columns as f32 * PIXEL_MM
            )));
        }
        Ok(Slices {
            images,
            first_mm,
            step_mm,
        })
    }

    /// The lowest of `count` slices and the distance between them.
    fn heights(&self, count: usize) -> (f64, f64) {
        let reach = (self.voxels.dim().0 as f64 * 2.0) as i64;
        let height = |plane: i64| self.centre_mm[2] + plane as f64 * self.plane_mm;
        let area: Vec<usize> = (-reach..=reach)
            .map(|plane| self.area(height(plane)))
            .collect();
        let least = area.iter().copied().max().unwrap_or(0) as f64 * LEAST_AREA;
        let enough = |at: &usize| area[*at] as f64 >= least;
        // The range around the largest slice.
        let largest = (0..area.len()).max_by_key(|&at| area[at]).unwrap_or(0);
        let first = (0..=largest)
            .rev()
            .take_while(enough)
            .last()
            .unwrap_or(largest);
        let planes = (largest..area.len()).take_while(enough).count() + largest - first;
        let first = first as i64 - reach;
        let step_mm = planes as f64 * self.plane_mm / count as f64;
        (height(first) - 0.5 * self.plane_mm + 0.5 * step_mm, step_mm)
    }

    /// The amount of brain at a height, measured at every fourth pixel of every fourth row.
    fn area(&self, z_mm: f64) -> usize {
        let [rows, columns] = SLICE_SHAPE;
        let lines = (0..rows)
            .step_by(4)
            .flat_map(|row| (0..columns).step_by(4).map(move |column| (row, column)));
        lines
            .filter(|&(row, column)| self.grey(row, column, z_mm).is_some())
            .count()
    }

    fn slice(&self, z_mm: f64) -> Array2<f32> {
        let mut slice = Array2::from_shape_fn(SLICE_SHAPE, |(row, column)| {
            self.grey(row, column, z_mm).unwrap_or(0.0)
        });
        let brightest = slice.iter().copied().fold(0.0, f32::max);
        if brightest > 0.0 {
            slice.mapv_inplace(|v| v / brightest * BRIGHTEST);
        }
        slice
    }

    /// The grey value of a pixel. Rows run from front to back, columns from left to right.
    fn grey(&self, row: usize, column: usize, z_mm: f64) -> Option<f32> {
        let [rows, columns] = SLICE_SHAPE.map(|n| (n / 2) as f64);
        let pixel = f64::from(PIXEL_MM);
        let at = self.to_voxel.apply([
            self.centre_mm[0] + (column as f64 - columns) * pixel,
            self.centre_mm[1] - (row as f64 - rows) * pixel,
            z_mm,
        ]);
        sample(&self.voxels, at.map(|index| index as f32))
    }
}

/// Whether every voxel of `mask` is at the position of the scan's voxel, within a tenth of a
/// millimetre.
fn same_grid(scan: &Volume, mask: &Volume) -> Result<()> {
    let (nx, ny, nz) = scan.voxels.dim();
    let corners =
        [[0, 0, 0], [nx, 0, 0], [0, ny, 0], [0, 0, nz]].map(|corner| corner.map(|n| n as f64));
    let near = |corner| {
        let [here, there] = [scan, mask].map(|volume| volume.affine.apply(corner));
        here.iter().zip(there).all(|(a, b)| (a - b).abs() < 0.1)
    };
    if scan.voxels.dim() != mask.voxels.dim() || !corners.into_iter().all(near) {
        return Err(Error::invalid(
            "the image and its brain mask have different grids; resample the mask to the image",
        ));
    }
    Ok(())
}
