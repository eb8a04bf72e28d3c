//! The header of a NIfTI file, version 1 or 2; the crate `nifti` knows the first only.

use std::fmt::Display;
use std::io::{self, Read};

use nifti::{Endianness, NiftiHeader, NiftiType};

use crate::error::{Error, Result};

/// Sizes of the two headers in bytes; a file begins with its own.
const SIZES: [i32; 2] = [348, 540];

/// The kinds of voxels that are one real number.
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

/// Reads a header and leaves `file` at the first voxel.
///
/// A header of version 2 is narrowed to the fields of version 1. Where the image is not scaled,
/// slope and intercept are 0.
pub(crate) fn read(file: &mut impl Read) -> Result<NiftiHeader> {
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
    let kind = header.data_type().ok().filter(|kind| GREY.contains(kind));
    let Some(kind) = kind else {
        let code = header.datatype;
        return Err(Error::invalid(format!(
            "voxels of kind {code} are not grey values; convert them to float32"
        )));
    };
    // The crate counts bytes by `bitpix`, which says again what `datatype` says.
    header.bitpix = 8 * kind.size_of() as i16;
    // A slope of NaN means "not scaled", as 0 does.
    if header.scl_slope == 0.0 || !(header.scl_slope + header.scl_inter).is_finite() {
        (header.scl_slope, header.scl_inter) = (0.0, 0.0);
    }
    // Extensions, which concern other programs, lie between header and voxels.
    let gap = (header.vox_offset as u64)
        .saturating_sub(size as u64)
        .max(4);
    let skipped = io::copy(&mut file.take(gap), &mut io::sink()).map_err(damaged)?;
    if skipped < gap {
        return Err(damaged("it ends before the first voxel"));
    }
    Ok(header)
}

/// The error of a file that is something else.
fn not_nifti() -> Error {
    Error::invalid("not a NIfTI image; convert it to .nii.gz")
}

/// The error of a file whose bytes are not all there.
pub(crate) fn damaged(problem: impl Display) -> Error {
    Error::invalid(format!(
        "damaged or cut off ({problem}); get the file again"
    ))
}

/// The fields that matter for a volume, at the places that the standard's `nifti2.h` gives them.
fn version_2(bytes: &[u8], little: bool) -> Result<NiftiHeader> {
    let real = |at| f64::from_le_bytes(field(bytes, at, little)) as f32;
    let long = |at| i64::from_le_bytes(field(bytes, at, little));
    let code = |at| i32::from_le_bytes(field(bytes, at, little)) as i16;
    let short = |at| i16::from_le_bytes(field(bytes, at, little));
    let row = |at| std::array::from_fn(|k| real(at + 8 * k));
    let mut dim = [0; 8];
    for (k, dim) in dim.iter_mut().enumerate() {
        let size = long(16 + 8 * k);
        *dim = u16::try_from(size)
            .map_err(|_| Error::invalid(format!("an axis of {size} voxels is not a volume's")))?;
    }
    Ok(NiftiHeader {
        endianness: if little {
            Endianness::Little
        } else {
            Endianness::Big
        },
        datatype: short(12),
        dim,
        pixdim: std::array::from_fn(|k| real(104 + 8 * k)),
        vox_offset: long(168) as f32,
        scl_slope: real(176),
        scl_inter: real(184),
        qform_code: code(344),
        sform_code: code(348),
        quatern_b: real(352),
        quatern_c: real(360),
        quatern_d: real(368),
        quatern_x: real(376),
        quatern_y: real(384),
        quatern_z: real(392),
        srow_x: row(400),
        srow_y: row(432),
        srow_z: row(464),
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
