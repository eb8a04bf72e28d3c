//! PNG files.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ndarray::{Array2, Array3, Axis};
use png::{BitDepth, ColorType, Decoder, Transformations};

use crate::error::{Error, Result};

/// A picture as stored in its file.
struct Picture {
    /// `[height, width, channels]`.
    values: Array3<u16>,
    /// The value of full intensity: 255 or 65535.
    full: u16,
}

/// The image of a file, `[channels, height, width]`, with values from 0 to 1.
pub(super) fn image(path: &Path) -> Result<Array3<f32>> {
    let Picture { values, full } = read(path)?;
    let shares = values.mapv(|value| f32::from(value) / f32::from(full));
    Ok(shares.permuted_axes([2, 0, 1]))
}

/// The mask of a file, `[height, width]`. A pixel of 0 is outside; a pixel of 1 or full intensity
/// is inside.
pub(super) fn mask(path: &Path) -> Result<Array2<bool>> {
    let Picture { values, full } = read(path)?;
    if values.dim().2 != 1 {
        return Err(Error::file(path, "is a mask in colour; save it as grey"));
    }
    let values = values.index_axis_move(Axis(2), 0);
    let other = (values.indexed_iter()).find(|&(_, &value)| value > 1 && value != full);
    match other {
        Some(((row, column), value)) => Err(Error::file(
            path,
            format!(
                "holds {value} in row {row}, column {column}; a mask holds 0, and 1 or {full}, only"
            ),
        )),
        None => Ok(values.mapv(|value| value > 0)),
    }
}

fn read(path: &Path) -> Result<Picture> {
    let file = File::open(path).map_err(|problem| Error::file(path, problem))?;
    let mut decoder = Decoder::new(BufReader::new(file));
    // Expands palettes, and greys with fewer than 8 bits.
    decoder.set_transformations(Transformations::EXPAND);
    let damaged = |problem| Error::file(path, format!("is not a complete PNG file ({problem})"));
    let mut reader = decoder.read_info().map_err(damaged)?;
    let mut bytes = vec![0; reader.output_buffer_size()];
    let frame = reader.next_frame(&mut bytes).map_err(damaged)?;
    let bytes = &bytes[..frame.buffer_size()];
    let channels = match frame.color_type {
        ColorType::Grayscale => 1,
        ColorType::Rgb => 3,
        _ => {
            return Err(Error::file(
                path,
                "has transparency; save it as grey or RGB without an alpha channel",
            ));
        }
    };
    let (values, full) = match frame.bit_depth {
        BitDepth::Sixteen => {
            let pairs = bytes.as_chunks().0.iter();
            let values = pairs.map(|&pair| u16::from_be_bytes(pair)).collect();
            (values, u16::MAX)
        }
        _ => {
            let values: Vec<u16> = bytes.iter().map(|&byte| byte.into()).collect();
            (values, u16::from(u8::MAX))
        }
    };
    let shape = (frame.height as usize, frame.width as usize, channels);
    let values =
        Array3::from_shape_vec(shape, values).map_err(|problem| Error::file(path, problem))?;
    Ok(Picture { values, full })
}
