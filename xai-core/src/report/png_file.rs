//! PNG files, and pictures in SVG and HTML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};

/// What the bytes of the pixels mean.
pub(super) enum Pixels {
    /// Three bytes per pixel.
    Rgb,
    /// One byte per pixel: grey values.
    Grey,
    /// One byte per pixel: indices of these colours, which have three bytes each.
    Palette(Vec<u8>),
}

/// The content of a PNG file of the given width and height. `bytes` are the pixels, row by row.
///
/// # Errors
/// If the number of bytes does not fit the size.
pub(super) fn png(bytes: &[u8], (width, height): (u32, u32), pixels: Pixels) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    // Many small pictures are inside a page, so their size counts. Whole figures would take seconds.
    encoder.set_compression(match pixels {
        Pixels::Rgb => png::Compression::Default,
        Pixels::Grey | Pixels::Palette(_) => png::Compression::Best,
    });
    match pixels {
        Pixels::Rgb => encoder.set_color(png::ColorType::Rgb),
        Pixels::Grey => encoder.set_color(png::ColorType::Grayscale),
        Pixels::Palette(colors) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(colors);
        }
    }
    let mut writer = encoder.write_header().map_err(Error::invalid)?;
    writer.write_image_data(bytes).map_err(Error::invalid)?;
    writer.finish().map_err(Error::invalid)?;
    Ok(file)
}

/// The content of a PNG file as the address of a picture in SVG or HTML.
pub(super) fn address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
