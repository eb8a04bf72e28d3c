//! Slices of a real scan, and the file in which they are stored.

use std::path::Path;

use ndarray::{Array2, Array3, Axis};
use nifti::writer::WriterOptions;
use nifti::{NiftiError, NiftiHeader};

use crate::benchmarks::lesions::imaging::Volume;
use crate::benchmarks::lesions::imaging::cohort::{BRIGHTEST, PIXEL_MM};
use crate::error::{Error, Result};

/// The largest 16-bit number. It represents the brightest grey value in stored slices.
const WHOLE: f32 = u16::MAX as f32;

/// Evenly spaced axial slices of one subject, from the lowest to the highest.
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// `[slice, row, column]` with 0.7 mm pixels: 0 outside the brain, above 0 in it, and 0.7 at
    /// the brightest.
    pub images: Array3<f32>,
    /// The height of the first slice (mm in the scan's own coordinates).
    pub first_mm: f64,
    /// From one slice to the next (mm).
    pub step_mm: f64,
}

impl Slices {
    /// `count` of the slices with their heights (mm), evenly chosen: the middle one of each of
    /// `count` equal parts.
    ///
    /// # Panics
    /// If there are fewer than `count`.
    pub fn pick(&self, count: usize) -> Vec<(f32, Array2<f32>)> {
        let all = self.images.len_of(Axis(0));
        assert!(count <= all, "{count} of {all} slices");
        let chosen = (0..count).map(|part| (2 * part + 1) * all / (2 * count));
        let slice = |k: usize| {
            let height = self.first_mm + k as f64 * self.step_mm;
            (height as f32, self.images.index_axis(Axis(0), k).to_owned())
        };
        chosen.map(slice).collect()
    }

    /// Writes the slices as a NIfTI volume of 16-bit numbers (`.nii.gz`), which every viewer can
    /// show.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let pixel = PIXEL_MM;
        let header = NiftiHeader {
            pixdim: [1.0, pixel, pixel, self.step_mm as f32, 1.0, 1.0, 1.0, 1.0],
            sform_code: 1,
            qform_code: 0,
            srow_x: [pixel, 0.0, 0.0, 0.0],
            srow_y: [0.0, pixel, 0.0, 0.0],
            srow_z: [0.0, 0.0, self.step_mm as f32, self.first_mm as f32],
            xyzt_units: 2, // millimetres
            ..NiftiHeader::default()
        };
        let kept = turned(self.images.mapv(|v| {
            let kept = (v / BRIGHTEST * WHOLE).round() as u16;
            // The faintest brain voxel must stay above 0.
            if v > 0.0 { kept.max(1) } else { 0 }
        }));
        WriterOptions::new(path)
            .reference_header(&header)
            .compression_level(flate2::Compression::fast())
            .write_nifti(&kept)
            .map_err(|problem| match problem {
                // Its own text does not say what the operating system has reported.
                NiftiError::Io(problem) => Error::file(path, problem),
                problem => Error::file(path, problem),
            })
    }

    /// Reads a file written by [`Slices::write`].
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let Volume { voxels, affine } = Volume::open(path)?;
        let images = turned(voxels).mapv_into(|v| v / WHOLE * BRIGHTEST);
        Ok(Self {
            images,
            first_mm: affine.offset[2],
            step_mm: affine.matrix[2][2],
        })
    }
}

/// From `[slice, row, column]` to `[x, y, z]`, or back. Rows run to the back, y runs to the front.
fn turned<T: Clone>(array: Array3<T>) -> Array3<T> {
    let mut turned = array.reversed_axes();
    turned.invert_axis(Axis(1));
    turned.as_standard_layout().into_owned()
}
