//! Maps and images as PNG files inside the page.

use ndarray::{Array2, ArrayView2, s};

use crate::error::Result;
use crate::report::heat_color::{colors, largest, shades};
use crate::report::png_file::{Pixels, address, png};

/// The largest side of a picture in pixels. To keep the page small, the pixels of larger pictures are averaged in
/// blocks.
const LARGEST: usize = 128;

/// A map as a data URI, and its largest absolute value.
pub(super) fn heat(map: ArrayView2<f32>) -> Result<(String, f32)> {
    let map = smaller(map);
    let uri = uri(&shades(map.view()), Pixels::Palette(colors().concat()))?;
    Ok((uri, largest(map.view())))
}

/// An image as a data URI. 0 is black and 1 is white. An image with negative pixels has its 0 in the middle, and its
/// largest absolute value is white or black.
pub(super) fn grey(pixels: ArrayView2<f32>) -> Result<String> {
    let pixels = smaller(pixels);
    let largest = largest(pixels.view());
    let signed = pixels.iter().any(|&v| v < 0.0);
    let shade = |v: f32| if signed { 0.5 + 0.5 * v / largest } else { v };
    uri(
        &pixels.mapv(|v| (shade(v).clamp(0.0, 1.0) * 255.0).round() as u8),
        Pixels::Grey,
    )
}

/// The means of square blocks of pixels, such that no side is longer than [`LARGEST`].
fn smaller(map: ArrayView2<f32>) -> Array2<f32> {
    let (height, width) = map.dim();
    let block = height.max(width).div_ceil(LARGEST);
    Array2::from_shape_fn((height.div_ceil(block), width.div_ceil(block)), |(y, x)| {
        let (y, x) = (y * block, x * block);
        let part = map.slice(s![y..(y + block).min(height), x..(x + block).min(width)]);
        part.mean().unwrap_or(0.0)
    })
}

/// A picture with one byte per pixel, as a data URI.
fn uri(pixels: &Array2<u8>, kind: Pixels) -> Result<String> {
    let (height, width) = pixels.dim();
    let bytes: Vec<u8> = pixels.iter().copied().collect();
    let file = png(&bytes, (width as u32, height as u32), kind)?;
    Ok(address(&file))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ndarray::array;

    use super::*;

    #[test]
    fn large_maps_are_averaged_in_blocks() {
        let map = Array2::from_shape_fn((2, 2 * LARGEST), |(y, x)| (x % 2 + y) as f32);
        let small = smaller(map.view());
        assert_eq!(small.dim(), (1, LARGEST));
        assert!(small.iter().all(|&v| v == 1.0));
        let odd = Array2::from_shape_fn((1, LARGEST + 1), |(_, x)| x as f32);
        assert_eq!(smaller(odd.view())[(0, LARGEST / 2)], LARGEST as f32);
    }

    #[test]
    fn zero_is_in_the_middle_of_an_image_with_negative_pixels() {
        let shades = |pixels: Array2<f32>| {
            let uri = grey(pixels.view()).unwrap();
            let file = STANDARD
                .decode(uri.strip_prefix("data:image/png;base64,").unwrap())
                .unwrap();
            let mut reader = png::Decoder::new(&file[..]).read_info().unwrap();
            let mut shades = [0; 3];
            reader.next_frame(&mut shades).unwrap();
            shades
        };
        assert_eq!(shades(array![[-0.5, 0.0, 0.25]]), [0, 128, 191]);
        assert_eq!(shades(array![[0.0, 0.5, 2.0]]), [0, 128, 255]);
    }

    /// Decoded by the rules of another program: the signature, the numbers of the header, and the
    /// palette.
    #[test]
    fn a_picture_is_a_png() {
        let (uri, largest) = heat(array![[0.0, 1.0, 0.5]].view()).unwrap();
        let file = STANDARD
            .decode(uri.strip_prefix("data:image/png;base64,").unwrap())
            .unwrap();
        assert_eq!(largest, 1.0);
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        let mut reader = png::Decoder::new(&file[..]).read_info().unwrap();
        assert_eq!(reader.info().size(), (3, 1));
        let mut pixels = [0; 3];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, [63, 126, 95]);
    }
}
