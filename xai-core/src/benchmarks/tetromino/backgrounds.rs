//! The backgrounds of tetrominoes: noise, smooth noise and photographs.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::{Photographs, Size};
use crate::error::{Error, Result};
use crate::image::{Resizer, gaussian};
use crate::random::numpy::RandomState;
use crate::random::stream;

/// The standard deviation of the noise. It cancels in the mixture.
const DEVIATION: f64 = 0.5;

/// Fills `values` with independent normal numbers, image after image, from NumPy's generator.
pub(super) fn noise_as_published(values: &mut [f64], random: &mut RandomState) {
    for value in values {
        *value = DEVIATION * random.standard_normal();
    }
}

/// Fills `values` with independent normal numbers. Each image has its own random stream under
/// `name`.
pub(super) fn noise(values: &mut [f64], pixels: usize, seed: u32, name: &str) {
    values
        .par_chunks_exact_mut(pixels)
        .enumerate()
        .for_each(|(image, values)| {
            let mut random = stream(seed.into(), &format!("{name}/noise/{image}"));
            for value in values {
                let drawn: f64 = random.sample(StandardNormal);
                *value = DEVIATION * drawn;
            }
        });
}

/// Blurs every image.
pub(super) fn smooth(values: &mut [f64], size: Size) {
    let side = size.side();
    values.par_chunks_exact_mut(side * side).for_each(|values| {
        let mut image = ArrayViewMut2::from_shape((side, side), values).expect("an image");
        let blurred = gaussian(image.view(), size.blur_of_noise());
        image.assign(&blurred);
    });
}

/// Backgrounds from photographs. Each has a mean of 0.
///
/// Images are cut from photographs in random order. If there are enough photographs, each is used
/// once: its short side is scaled to the side of the image, and the middle is cut out. If there are
/// fewer, random squares are cut, and one photograph may appear in both training and test.
pub(super) fn photographs(
    photographs: &Photographs,
    values: &mut [f64],
    size: Size,
    seed: u32,
    name: &str,
) -> Result<()> {
    let side = size.side();
    let mut files = photographs.files().to_vec();
    files.shuffle(&mut stream(seed.into(), &format!("{name}/photographs")));
    let count = values.len() / (side * side);
    let enough = files.len() >= count;
    // Each file is read once, however many images are cut from it.
    let mut images: Vec<Vec<(usize, &mut [f64])>> = Vec::new();
    images.resize_with(files.len(), Vec::new);
    for (image, values) in values.chunks_exact_mut(side * side).enumerate() {
        images[image % files.len()].push((image, values));
    }
    images
        .into_par_iter()
        .zip(&files)
        .try_for_each(|(images, file)| {
            if images.is_empty() {
                return Ok(());
            }
            let photograph = grey(file)?;
            let (height, width) = photograph.dim();
            let short = height.min(width);
            if short < side {
                return Err(Error::file(
                    file,
                    format!(
                        "is {height} x {width} pixels; give photographs of at least {side} x {side}"
                    ),
                ));
            }
            for (image, values) in images {
                let mut random = stream(seed.into(), &format!("{name}/crop/{image}"));
                let (edge, top, left) = if enough {
                    (short, (height - short) / 2, (width - short) / 2)
                } else {
                    let edge = random.random_range((short / 2).max(side)..=short);
                    (
                        edge,
                        random.random_range(0..=height - edge),
                        random.random_range(0..=width - edge),
                    )
                };
                let square: ArrayView2<f64> =
                    photograph.slice(s![top..top + edge, left..left + edge]);
                let resized = Resizer::new([edge; 2], [side; 2]).resize(square);
                let mean = resized.mean().unwrap_or_default();
                for (value, pixel) in values.iter_mut().zip(&resized) {
                    *value = pixel - mean;
                }
            }
            Ok(())
        })
}

/// A PNG file as brightness from 0 to 255. Red, green and blue have the weights .299, .587 and
/// .114.
fn grey(file: &Path) -> Result<Array2<f64>> {
    let wrong =
        |problem: String| Error::file(file, format!("is not a readable PNG image ({problem})"));
    let opened = File::open(file).map_err(|problem| Error::file(file, problem))?;
    let mut decoder = png::Decoder::new(BufReader::new(opened));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder
        .read_info()
        .map_err(|problem| wrong(problem.to_string()))?;
    let mut bytes = vec![0; reader.output_buffer_size()];
    let frame = reader
        .next_frame(&mut bytes)
        .map_err(|problem| wrong(problem.to_string()))?;
    let samples = frame.color_type.samples();
    let brightness = |pixel: &[u8]| match pixel {
        [red, green, blue, ..] => {
            0.299 * f64::from(*red) + 0.587 * f64::from(*green) + 0.114 * f64::from(*blue)
        }
        grey => f64::from(grey[0]),
    };
    let pixels = bytes[..frame.buffer_size()]
        .chunks_exact(samples)
        .map(brightness);
    let shape = (frame.height as usize, frame.width as usize);
    Array2::from_shape_vec(shape, pixels.collect()).map_err(|problem| wrong(problem.to_string()))
}
