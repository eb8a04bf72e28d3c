//! A three-dimensional image, read from NIfTI and turned so that its axes are known.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ndarray::{Array3, Axis, Ix3};
use nifti::{InMemNiftiObject, IntoNdArray, NiftiHeader, NiftiObject};

use crate::error::{Error, Result};

/// A volume in RAS order: the first axis runs to the subject's right, the second to the front
/// (anterior), the third to the top (superior).
#[derive(Clone, Debug)]
pub struct Volume {
    /// Grey values `[x, y, z]`, with the file's slope and intercept applied.
    pub voxels: Array3<f32>,
    /// Size of a voxel along x, y and z in millimetres.
    pub spacing_mm: [f64; 3],
}

impl Volume {
    /// Reads a `.nii` or `.nii.gz` file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
        Self::from_bytes(&bytes).map_err(|e| Error::file(path, e))
    }

    /// Reads a NIfTI-1 file held in memory, gzipped or not.
    ///
    /// The axes are permuted and flipped to the nearest RAS order; an oblique image is not
    /// resampled. An image without an orientation (neither sform nor qform) is an error, because
    /// left and right would be a guess.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut unpacked = Vec::new();
        let mut bytes = bytes;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            MultiGzDecoder::new(bytes)
                .read_to_end(&mut unpacked)
                .map_err(|e| Error::invalid(format!("damaged gzip data: {e}")))?;
            bytes = &unpacked;
        }
        let header = NiftiHeader::from_reader(bytes).map_err(not_nifti)?;
        // A slope of NaN means "no scaling", as 0 does; the reader only knows the latter.
        let plain;
        if !header.scl_slope.is_finite() || !header.scl_inter.is_finite() {
            plain = without_scaling(bytes);
            bytes = &plain;
        }
        let object = InMemNiftiObject::from_reader(bytes).map_err(not_nifti)?;
        let affine = affine(&header)?;
        let voxels = object
            .into_volume()
            .into_ndarray::<f32>()
            .map_err(not_nifti)?;
        let shape = voxels.shape().to_vec();
        // A trailing axis of length one (a single time point) is no fourth dimension.
        if shape.len() < 3 || shape[3..].iter().any(|&n| n != 1) {
            return Err(Error::invalid(format!(
                "the image has the shape {shape:?}; one volume of three dimensions is needed"
            )));
        }
        let voxels = voxels
            .into_shape_with_order(((shape[0], shape[1], shape[2]), ndarray::Order::F))
            .map_err(Error::invalid)?
            .into_dimensionality::<Ix3>()
            .map_err(Error::invalid)?;
        Ok(to_ras(voxels, affine))
    }
}

fn not_nifti(problem: nifti::NiftiError) -> Error {
    Error::invalid(format!("not a readable NIfTI-1 image: {problem}"))
}

/// The file's bytes with slope and intercept (header bytes 112 to 119) set to zero.
fn without_scaling(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[112..120].fill(0);
    bytes
}

/// The 3 x 3 part of the map from voxel indices to millimetres: column k is the step along axis k.
fn affine(header: &NiftiHeader) -> Result<[[f64; 3]; 3]> {
    if header.sform_code > 0 {
        let row = |r: [f32; 4]| [r[0].into(), r[1].into(), r[2].into()];
        return Ok([row(header.srow_x), row(header.srow_y), row(header.srow_z)]);
    }
    if header.qform_code <= 0 {
        return Err(Error::invalid(
            "the image has no orientation (sform and qform codes are 0); write one with its converter",
        ));
    }
    // NIfTI-1 standard, "method 2": a unit quaternion and the voxel sizes.
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let rotation = [
        [
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            a * a + c * c - b * b - d * d,
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a + d * d - b * b - c * c,
        ],
    ];
    let handedness = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let size = [
        f64::from(header.pixdim[1]),
        f64::from(header.pixdim[2]),
        f64::from(header.pixdim[3]) * handedness,
    ];
    Ok(rotation.map(|row| [row[0] * size[0], row[1] * size[1], row[2] * size[2]]))
}

/// Permutes and flips the axes to the RAS order that is nearest to the affine map.
fn to_ras(voxels: Array3<f32>, affine: [[f64; 3]; 3]) -> Volume {
    const ORDERS: [[usize; 3]; 6] = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let length = |axis: usize| (0..3).map(|r| affine[r][axis].powi(2)).sum::<f64>().sqrt();
    // How well array axis k points along anatomical axis r, without regard to voxel size.
    let cosine = |r: usize, k: usize| affine[r][k] / length(k).max(f64::MIN_POSITIVE);
    let fit = |order: &[usize; 3]| (0..3).map(|r| cosine(r, order[r]).abs()).sum::<f64>();
    let mut order = ORDERS[0];
    for candidate in ORDERS {
        if fit(&candidate) > fit(&order) + 1e-9 {
            order = candidate;
        }
    }
    let mut turned = voxels.permuted_axes(order);
    for r in 0..3 {
        if affine[r][order[r]] < 0.0 {
            turned.invert_axis(Axis(r));
        }
    }
    Volume {
        voxels: turned.as_standard_layout().into_owned(),
        spacing_mm: order.map(length),
    }
}
