//! A data set of XAI-TRIS: its settings, and how its images are made.

use half::f16;
use ndarray::Array3;
use rayon::prelude::*;

use super::backgrounds::{noise, noise_as_published, photographs, smooth};
use super::placing::Patterns;
use super::split::stratified;
use super::{Background, Defect, Defects, Photographs, Protocol, Scenario, Size};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::numpy::RandomState;
use crate::random::stream;
use crate::sweep::declare::Level;

/// A data set of XAI-TRIS, described by everything that determines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tetromino {
    /// How an image shows its class.
    pub scenario: Scenario,
    /// What the tetrominoes are mixed into.
    pub background: Background,
    /// The side of the images.
    pub size: Size,
    /// The number of images: a multiple of 4.
    pub count: usize,
    /// The seed of all random numbers.
    pub seed: u32,
    /// Which defects of the public code are reproduced. X7, X8 and X18 change images.
    pub defects: Defects,
    /// The largest number of test images that are explained.
    pub most_explained: usize,
    /// The photographs, if they are the background.
    pub photographs: Option<Photographs>,
    /// Whether images and truth are turned by 180 degrees. In the public code's second framework, Keras, the padding "same"
    /// adds a row and a column after the image, where `Conv2d` and a maximum pooling use those before it. On turned images, both
    /// are the same.
    pub turned: bool,
}

impl Tetromino {
    /// The seed of the public code.
    pub const SEED: u32 = 4_000_002;

    /// A data set with the published number of images and the published seed.
    pub fn new(scenario: Scenario, background: Background, size: Size, protocol: Protocol) -> Self {
        Self {
            scenario,
            background,
            size,
            count: size.published_count(),
            seed: Self::SEED,
            defects: protocol.defects(),
            most_explained: usize::MAX,
            photographs: None,
            turned: false,
        }
    }

    /// The same size, number of images, seed and folder with another scenario, background and
    /// protocol.
    #[must_use]
    pub fn with(&self, scenario: Scenario, background: Background, protocol: Protocol) -> Self {
        Self {
            scenario,
            background,
            defects: protocol.defects(),
            ..self.clone()
        }
    }

    /// Makes the images for training, validation and test, with values from -1 to 1, and their
    /// truth.
    ///
    /// # Errors
    /// If the number of images cannot be divided into classes and splits, or photographs cannot be
    /// read.
    pub fn make(&self) -> Result<[Dataset; 3]> {
        let held_out = (self.size.held_out() * self.count as f64).ceil() as usize;
        if !self.count.is_multiple_of(4) || held_out < 4 {
            return Err(Error::invalid(format!(
                "{} images cannot be divided into equal classes for training, validation and test; give a multiple of 4, \
                 at least {}",
                self.count,
                (4.0 / self.size.held_out()) as usize
            )));
        }
        let side = self.size.side();
        let pixels = side * side;
        let mut values = vec![0.0; self.count * pixels];
        let patterns = self.draw(&mut values)?;
        self.mix(&mut values, &patterns);
        let half = self.defects.has(Defect::X7);
        let number = |value: f64| {
            if half {
                f16::from_f32(value as f32).to_f32()
            } else {
                value as f32
            }
        };
        let values = narrowed(values, number);
        let values: &[f32] = bytemuck::cast_slice(&values);
        let dataset = |part: Vec<usize>| {
            let images = part
                .iter()
                .flat_map(|&image| &values[image * pixels..][..pixels]);
            let mut images: Vec<f32> = images.copied().collect();
            let truth = part.iter().flat_map(|&image| patterns.truth(image));
            let mut truth: Vec<bool> = truth.collect();
            if self.turned {
                images.chunks_exact_mut(pixels).for_each(<[_]>::reverse);
                truth.chunks_exact_mut(pixels).for_each(<[_]>::reverse);
            }
            let shape = (part.len(), side, side);
            let images = Array3::from_shape_vec(shape, images).map_err(Error::invalid)?;
            let truth = Array3::from_shape_vec(shape, truth).map_err(Error::invalid)?;
            let class = part
                .iter()
                .map(|&image| patterns.class(image) as u8)
                .collect();
            Dataset::grey(images, class)?.with_truth(truth)
        };
        let [train, validation, test] = self.parts(&patterns).map(dataset);
        Ok([train?, validation?, test?])
    }

    /// The name of this data set's random streams.
    fn name(&self) -> String {
        let (scenario, background, size) = (
            self.scenario.name(),
            self.background.name(),
            self.size.name(),
        );
        format!("tetromino/{scenario}/{background}/{size}")
    }

    /// Draws the backgrounds into `values`, and draws the tetrominoes.
    ///
    /// With X18, the random numbers are those of the public code and the same for every scenario:
    /// first the noise of all images, then the placements. Without it, each data set has its own
    /// random numbers.
    fn draw(&self, values: &mut [f64]) -> Result<Patterns> {
        let name = self.name();
        let pixels = self.size.side().pow(2);
        let shared = self.defects.has(Defect::X18);
        let mut random = if shared {
            RandomState::new(self.seed)
        } else {
            RandomState::new(rand::RngCore::next_u32(&mut stream(
                self.seed.into(),
                &name,
            )))
        };
        match (self.background, &self.photographs) {
            (Background::Photographs, Some(given)) => {
                photographs(given, values, self.size, self.seed, &name)?;
            }
            (Background::Photographs, None) => {
                return Err(Error::invalid(
                    "photographs as background need the folder that they are in",
                ));
            }
            _ if shared => noise_as_published(values, &mut random),
            _ => noise(values, pixels, self.seed, &name),
        }
        if self.background == Background::Correlated {
            smooth(values, self.size);
        }
        Ok(Patterns::new(
            self.scenario,
            self.size,
            self.count,
            self.defects,
            &mut random,
        ))
    }

    /// Mixes the patterns into the backgrounds, and scales all images by one number so that the
    /// largest value is 1.
    ///
    /// Additive: alpha P / |P| + (1 - alpha) B / |B|. Multiplicative: (Q / |Q|) (B / |B|) with Q =
    /// 1 - alpha P. The norms are over all images together.
    fn mix(&self, values: &mut [f64], patterns: &Patterns) {
        let pixels = self.size.side().pow(2);
        let alpha = self.scenario.alpha(self.background, self.size);
        let multiplied = self.scenario == Scenario::Multiplicative;
        let of = |image: usize| {
            if multiplied {
                patterns.of(image).mapv_into(|value| 1.0 - alpha * value)
            } else {
                patterns.of(image)
            }
        };
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        // Each image is summed first, then the images, so that the number of threads does not
        // change the sums.
        let squares: Vec<[f64; 2]> = (values.par_chunks_exact(pixels).enumerate())
            .map(|(image, values)| {
                [
                    square(values),
                    of(image).iter().map(|value| value * value).sum(),
                ]
            })
            .collect();
        let [background, pattern] =
            [0, 1].map(|of| squares.iter().map(|one| one[of]).sum::<f64>().sqrt());
        values
            .par_chunks_exact_mut(pixels)
            .enumerate()
            .for_each(|(image, values)| {
                for (value, &of_pattern) in values.iter_mut().zip(&of(image)) {
                    *value = if multiplied {
                        of_pattern / pattern * (*value / background)
                    } else {
                        alpha * (of_pattern / pattern) + (1.0 - alpha) * (*value / background)
                    };
                }
            });
        let largest = values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        values.par_iter_mut().for_each(|value| *value /= largest);
    }

    /// The images for training, validation and test, in random order.
    fn parts(&self, patterns: &Patterns) -> [Vec<usize>; 3] {
        let seed = if self.defects.has(Defect::X18) {
            self.seed
        } else {
            rand::RngCore::next_u32(&mut stream(
                self.seed.into(),
                &format!("{}/split", self.name()),
            ))
        };
        let class = |images: &[usize]| -> Vec<usize> {
            images.iter().map(|&image| patterns.class(image)).collect()
        };
        let all: Vec<usize> = (0..self.count).collect();
        let [train, held] = stratified(&all, &class(&all), self.size.held_out(), seed);
        let [validation, test] = stratified(&held, &class(&held), 0.5, seed);
        [train, validation, test]
    }
}

/// Numbers of 32 bits in the memory of the values that they replace, whose second half is given back. All values of the
/// images of 64 x 64 take 1.3 GB.
fn narrowed(mut values: Vec<f64>, number: impl Fn(f64) -> f32) -> Vec<f64> {
    for at in 0..values.len() {
        let narrow = number(values[at]);
        // Its place is not behind the value's, so no value is lost before it is read.
        bytemuck::cast_slice_mut::<f64, f32>(&mut values)[at] = narrow;
    }
    values.truncate(values.len().div_ceil(2));
    values.shrink_to_fit();
    values
}
