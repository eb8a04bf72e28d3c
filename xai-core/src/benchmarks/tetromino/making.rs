//! A data set of XAI-TRIS: what determines it, and how its images are made.

use std::path::PathBuf;

use half::f16;
use ndarray::Array3;
use rayon::prelude::*;

use super::backgrounds::{noise, noise_as_published, photographs, smooth};
use super::placing::Patterns;
use super::split::stratified;
use super::{Background, Defect, Defects, Protocol, Scenario, Size};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::numpy::RandomState;
use crate::random::stream;
use crate::sweep::declare::Level;

/// A data set of XAI-TRIS, by all that determines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tetromino {
    /// How the class is told.
    pub scenario: Scenario,
    /// What surrounds it.
    pub background: Background,
    /// The side of the images.
    pub size: Size,
    /// Images in all: a multiple of 4.
    pub count: usize,
    /// The seed of everything that is drawn.
    pub seed: u32,
    /// What is done as in the public code. X7, X8 and X18 change images.
    pub defects: Defects,
    /// Test images that are explained at most.
    pub most_explained: usize,
    /// Where the photographs are, if they are the background.
    pub photographs: Option<PathBuf>,
}

impl Tetromino {
    /// The seed of the public code.
    pub const SEED: u32 = 4_000_002;

    /// The published number of images under the published seed.
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
        }
    }

    /// Another scenario and background by a protocol, of the same size, number, seed and folder.
    #[must_use]
    pub fn with(&self, scenario: Scenario, background: Background, protocol: Protocol) -> Self {
        Self {
            scenario,
            background,
            defects: protocol.defects(),
            ..self.clone()
        }
    }

    /// Makes the images for training, validation and test, from -1 to 1, with their truth.
    ///
    /// # Errors
    /// A number of images that cannot be divided into classes and parts; photographs that cannot be read.
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
        let number = |value: f64| match half {
            true => f16::from_f32(value as f32).to_f32(),
            false => value as f32,
        };
        let dataset = |part: Vec<usize>| {
            let images = part
                .iter()
                .flat_map(|&image| &values[image * pixels..][..pixels]);
            let images = images.map(|&value| number(value)).collect();
            let truth = part
                .iter()
                .flat_map(|&image| patterns.truth(image))
                .collect();
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

    /// What streams of random numbers of this data set are called.
    fn name(&self) -> String {
        let (scenario, background, size) = (
            self.scenario.name(),
            self.background.name(),
            self.size.name(),
        );
        format!("tetromino/{scenario}/{background}/{size}")
    }

    /// Draws backgrounds into `values`, and tetrominoes.
    ///
    /// Under X18 the draws are those of the public code, the same for every scenario: first the noise of all images, then
    /// the placements. Otherwise each data set has its own.
    fn draw(&self, values: &mut [f64]) -> Result<Patterns> {
        let name = self.name();
        let pixels = self.size.side().pow(2);
        let shared = self.defects.has(Defect::X18);
        let mut random = match shared {
            true => RandomState::new(self.seed),
            false => RandomState::new(rand::RngCore::next_u32(&mut stream(
                self.seed.into(),
                &name,
            ))),
        };
        match (self.background, &self.photographs) {
            (Background::Photographs, Some(folder)) => {
                photographs(folder, values, self.size, self.seed, &name)?;
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

    /// Mixes the patterns into the backgrounds, and scales all images by one number such that the largest value is 1.
    ///
    /// Additive: alpha P / |P| + (1 - alpha) B / |B|; multiplicative: (Q / |Q|) (B / |B|) with Q = 1 - alpha P. Norms are
    /// those of all images together.
    fn mix(&self, values: &mut [f64], patterns: &Patterns) {
        let pixels = self.size.side().pow(2);
        let alpha = self.scenario.alpha(self.background, self.size);
        let multiplied = self.scenario == Scenario::Multiplicative;
        let of = |image: usize| match multiplied {
            true => patterns.of(image).mapv_into(|value| 1.0 - alpha * value),
            false => patterns.of(image),
        };
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        // Sums an image and then over images, so that threads do not change them.
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
                    *value = match multiplied {
                        true => of_pattern / pattern * (*value / background),
                        false => {
                            alpha * (of_pattern / pattern) + (1.0 - alpha) * (*value / background)
                        }
                    };
                }
            });
        let largest = values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        values.par_iter_mut().for_each(|value| *value /= largest);
    }

    /// The images for training, validation and test, in drawn order.
    fn parts(&self, patterns: &Patterns) -> [Vec<usize>; 3] {
        let seed = match self.defects.has(Defect::X18) {
            true => self.seed,
            false => rand::RngCore::next_u32(&mut stream(
                self.seed.into(),
                &format!("{}/split", self.name()),
            )),
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
