//! The header of a NIfTI file, version 1 or 2. The crate `nifti` supports only the first.

use std::fmt::Display;
use std::io::{self, Read};

use nifti::{Endianness, NiftiHeader, NiftiType};

use crate::error::{Error, Result};

/// Sizes of the two headers in bytes. A file begins with the size of its header.
const SIZES: [i32; 2] = [348, 540];

/// The types of voxels that are one real number.
const GREY: [NiftiType; 10] = [
    NiftiType::Uint8,
    NiftiType::Int8,
    NiftiType::Uint16,
    NiftiType::Int16,
    NiftiType::Uint32,
    NiftiType::Int32,
    NiftiType::Uint64,
    NiftiType::Int64,
    NiftiType::Float32,
    NiftiType::Float64,
];

/// The content of a header.
pub(crate) struct Header {
    /// Type and number of the voxels. For version 2, the fields that version 1 has. If the image is
    /// not scaled, slope and intercept are 0.
    pub(crate) nifti: NiftiHeader,
    /// The number of voxels along x, y, z and any other axes.
    pub(crate) shape: Vec<usize>,
    pub(crate) orientation: Orientation,
}

/// The fields that determine the position of a voxel, in the precision of the file.
pub(crate) struct Orientation {
    pub(crate) qform_code: i32,
    pub(crate) sform_code: i32,
    /// The sign of the third axis, then the size of a voxel along each axis.
    pub(crate) pixdim: [f64; 4],
    /// The last three numbers of a unit quaternion.
    pub(crate) quaternion: [f64; 3],
    pub(crate) q_offset: [f64; 3],
    pub(crate) s_rows: [[f64; 4]; 3],
    /// The units of length and time, as a code of the standard.
    pub(crate) units: u8,
    /// Numbers with the file's precision differ by less than this, for values around 1.
    pub(crate) precision: f64,
}

/// Reads a header and leaves `file` at the first voxel.
pub(crate) fn read(file: &mut impl Read) -> Result<Header> {
    let mut bytes = vec![0; 4];
    file.read_exact(&mut bytes).map_err(damaged)?;
    let size = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let little = SIZES.contains(&size);
    let size = if little { size } else { size.swap_bytes() };
    if !SIZES.contains(&size) {
        return Err(not_nifti());
    }
    bytes.resize(size as usize, 0);
    file.read_exact(&mut bytes[4..]).map_err(damaged)?;
    let magic = if size == SIZES[0] {
        &bytes[344..347]
    } else {
        &bytes[4..7]
    };
    let mut header = match magic {
        b"n+1" => NiftiHeader::from_reader(&bytes[..]).map_err(|_| not_nifti())?,
        b"n+2" => version_2(&bytes, little)?,
        b"ni1" | b"ni2" => {
            return Err(Error::invalid(
                "half of a pair of files (.hdr and .img); convert the pair to one .nii.gz",
            ));
        }
        _ => return Err(not_nifti()),
    };
    let other_order = match header.endianness {
        Endianness::Little => !little,
        Endianness::Big => little,
    };
    if other_order {
        return Err(damaged("its header mixes two byte orders"));
    }
    let shape = shape(&header)?;
    let kind = header.data_type().ok().filter(|kind| GREY.contains(kind));
    let Some(kind) = kind else {
        let code = header.datatype;
        return Err(Error::invalid(format!(
            "voxels of kind {code} are not grey values; convert them to float32"
        )));
    };
    // The crate computes sizes from `bitpix`, which repeats the information of `datatype`.
    header.bitpix = 8 * kind.size_of() as i16;
    // A slope of 0 or NaN means "not scaled".
    let (slope, intercept) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        (header.scl_slope, header.scl_inter) = (0.0, 0.0);
    } else if !intercept.is_finite() {
        return Err(Error::invalid(format!(
            "the intercept of its grey values (scl_inter) is {intercept}; write it again with its converter"
        )));
    }
    // Extensions for other programs lie between header and voxels.
    let gap = (header.vox_offset as u64)
        .saturating_sub(size as u64)
        .max(4);
    let skipped = io::copy(&mut file.take(gap), &mut io::sink()).map_err(damaged)?;
    if skipped < gap {
        return Err(damaged("it ends before the first voxel"));
    }
    Ok(Header {
        orientation: Orientation::of(&bytes, little),
        shape,
        nifti: header,
    })
}

/// The sizes of the image's axes.
fn shape(header: &NiftiHeader) -> Result<Vec<usize>> {
    let axes = usize::from(header.dim[0]);
    if !(1..=7).contains(&axes) {
        return Err(damaged(format!("dim[0] of its header is {axes}")));
    }
    let sizes = (1..=axes).map(|axis| match header.dim[axis].cast_signed() {
        size @ 1.. => Ok(usize::from(size.unsigned_abs())),
        size => Err(damaged(format!("dim[{axis}] of its header is {size}"))),
    });
    sizes.collect()
}

impl Orientation {
    /// From a complete header, with the fields at the positions in the standard's `nifti1.h` and
    /// `nifti2.h`.
    fn of(bytes: &[u8], little: bool) -> Self {
        let first = bytes.len() == SIZES[0] as usize;
        let real = |at: [usize; 2], k: usize| {
            if first {
                f32::from_le_bytes(field(bytes, at[0] + 4 * k, little)).into()
            } else {
                f64::from_le_bytes(field(bytes, at[1] + 8 * k, little))
            }
        };
        let code = |at: [usize; 2]| {
            if first {
                i16::from_le_bytes(field(bytes, at[0], little)).into()
            } else {
                i32::from_le_bytes(field(bytes, at[1], little))
            }
        };
        Self {
            qform_code: code([252, 344]),
            sform_code: code([254, 348]),
            pixdim: std::array::from_fn(|k| real([76, 104], k)),
            quaternion: std::array::from_fn(|k| real([256, 352], k)),
            q_offset: std::array::from_fn(|k| real([268, 376], k)),
            s_rows: std::array::from_fn(|row| {
                std::array::from_fn(|k| real([280, 400], 4 * row + k))
            }),
            units: if first {
                bytes[123]
            } else {
                i32::from_le_bytes(field(bytes, 500, little)) as u8
            },
            precision: if first {
                f32::EPSILON.into()
            } else {
                f64::EPSILON
            },
        }
    }
}

/// The error for a file with another format.
fn not_nifti() -> Error {
    Error::invalid("not a NIfTI image; convert it to .nii.gz")
}

/// The error for a truncated file.
pub(crate) fn damaged(problem: impl Display) -> Error {
    Error::invalid(format!(
        "damaged or cut off ({problem}); get the file again"
    ))
}

/// The fields needed for the voxels, at the positions in the standard's `nifti2.h`.
fn version_2(bytes: &[u8], little: bool) -> Result<NiftiHeader> {
    let real = |at| f64::from_le_bytes(field(bytes, at, little));
    let long = |at| i64::from_le_bytes(field(bytes, at, little));
    let mut dim = [0; 8];
    for (k, dim) in dim.iter_mut().enumerate() {
        let size = long(16 + 8 * k);
        *dim = (i16::try_from(size))
            .map_err(|_| Error::invalid(format!("an axis of {size} voxels is not a volume's")))?
            .cast_unsigned();
    }
    // The crate scales in 32 bits.
    let [slope, intercept] = [176, 184].map(real);
    let narrow = slope as f32;
    if slope != 0.0 && slope.is_finite() && !narrow.is_normal() {
        return Err(Error::invalid(format!(
            "the slope of its grey values (scl_slope) is {slope:e}; convert them to float32"
        )));
    }
    Ok(NiftiHeader {
        endianness: if little {
            Endianness::Little
        } else {
            Endianness::Big
        },
        datatype: i16::from_le_bytes(field(bytes, 12, little)),
        dim,
        vox_offset: long(168) as f32,
        scl_slope: narrow,
        scl_inter: intercept as f32,
        ..NiftiHeader::default()
    })
}

/// The `N` bytes at `at`, least significant first.
fn field<const N: usize>(bytes: &[u8], at: usize, little: bool) -> [u8; N] {
    let mut field: [u8; N] = bytes[at..at + N].try_into().expect("N bytes");
    if !little {
        field.reverse();
    }
    field
}
