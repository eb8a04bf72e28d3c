//! The grid of a scan's file, on which images of the scan are written.

use std::path::Path;

use ndarray::{ArrayView3, Axis};
use nifti::NiftiHeader;
use nifti::writer::WriterOptions;

use crate::benchmarks::lesions::imaging::header::Orientation;
use crate::error::{Error, Result};

/// The order and direction of the axes in a file, and the position of its voxels. A
/// [`Volume`](super::Volume) has the same voxels in RAS order.
pub struct Grid {
    /// The file's axis that is axis `k` of the volume.
    order: [usize; 3],
    /// Whether axis `k` of the volume runs against the file's.
    flipped: [bool; 3],
    orientation: Orientation,
}

impl Grid {
    pub(crate) fn new(order: [usize; 3], flipped: [bool; 3], orientation: Orientation) -> Self {
        Self {
            order,
            flipped,
            orientation,
        }
    }

    /// Whether axis `axis` of the volume runs against the file's.
    pub fn is_flipped(&self, axis: usize) -> bool {
        self.flipped[axis]
    }

    /// Writes an image of the volume's shape `[x, y, z]` as NIfTI-1 (`.nii` or `.nii.gz`) of float32,
    /// with the axes, the sform and the qform of the file. Viewers therefore show both at the same
    /// place. The numbers of a NIfTI-2 header are rounded to float32.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path, mut image: ArrayView3<f32>) -> Result<()> {
        let mut back = [0; 3];
        for (axis, &of_file) in self.order.iter().enumerate() {
            back[of_file] = axis;
            if self.flipped[axis] {
                image.invert_axis(Axis(axis));
            }
        }
        let image = image.permuted_axes(back);
        WriterOptions::new(path)
            .reference_header(&self.header())
            .write_nifti(&image.as_standard_layout())
            .map_err(|problem| Error::file(path, problem))
    }

    fn header(&self) -> NiftiHeader {
        let of = &self.orientation;
        let [sign, x, y, z] = of.pixdim.map(|size| size as f32);
        let [quatern_b, quatern_c, quatern_d] = of.quaternion.map(|part| part as f32);
        let [quatern_x, quatern_y, quatern_z] = of.q_offset.map(|mm| mm as f32);
        let [srow_x, srow_y, srow_z] = of.s_rows.map(|row| row.map(|number| number as f32));
        NiftiHeader {
            pixdim: [sign, x, y, z, 0.0, 0.0, 0.0, 0.0],
            xyzt_units: of.units,
            qform_code: of.qform_code as i16,
            sform_code: of.sform_code as i16,
            quatern_b,
            quatern_c,
            quatern_d,
            quatern_x,
            quatern_y,
            quatern_z,
            srow_x,
            srow_y,
            srow_z,
            ..NiftiHeader::default()
        }
    }
}
