//! How images are made: the settings of the benchmark, and the defects of the public code to
//! repeat.

use std::ops::{Range, RangeInclusive};

use ndarray::Array2;

use super::defects::{Defect, Defects};
use super::library::Recipe;
use crate::device::vectorised;
use crate::error::{Error, Result};
use crate::image::extremes;

/// The brightest pixel of a slice. It leaves room for brighter lesions.
const BRIGHTEST: f64 = 0.7;

/// A slice in the form into which lesions are painted: stretched so that its smallest value is 0,
/// outside the brain, and its largest is 0.7.
///
/// # Errors
/// If a value is not finite, or if all values are equal.
pub fn background(mut slice: Array2<f64>) -> Result<Array2<f64>> {
    if !all_finite(slice.as_slice_memory_order().unwrap_or_default()) {
        let broken = slice.indexed_iter().find(|(_, v)| !v.is_finite());
        let ((row, column), value) = broken.expect("there is one");
        return Err(Error::invalid(format!(
            "holds {value} at row {row}, column {column}; leave the slice out or fill such pixels"
        )));
    }
    let (low, high) = extremes(slice.view());
    if low == high {
        return Err(Error::invalid(format!("is {low} everywhere; leave it out")));
    }
    let pixels = slice.as_slice_memory_order_mut();
    stretch(pixels.expect("an array that owns its numbers"), low, high);
    Ok(slice)
}

vectorised! {
    fn all_finite(pixels: &[f64]) -> bool {
        // The loop does not stop at the first value, so that the compiler can vectorise it.
        pixels.iter().fold(true, |all, v| all & v.is_finite())
    }
}

vectorised! {
    /// Maps `low` to 0 and `high` to the brightest value.
    fn stretch(pixels: &mut [f64], low: f64, high: f64) {
        for v in pixels {
            *v = (*v - low) / (high - low) * BRIGHTEST;
        }
    }
}

/// How images are made. [`Protocol::corrected`] is the benchmark as the paper describes it, with
/// independent draws. [`Protocol::published`] is the one used for its figures.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Heights of the slices in mm.
    pub heights_mm: RangeInclusive<f32>,
    /// The number of lesions per slice (uniform).
    pub lesions: RangeInclusive<usize>,
    /// The lesions to choose from: their size and shape.
    pub recipe: Recipe,
    /// The weight of a lesion's strongest pixel in the blend, in (0, 1]: the contrast.
    pub strongest: f64,
    /// The defects of the public code to repeat.
    pub defects: Defects,
}

/// The subjects and the seed of a part of the benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The subjects.
    pub subjects: Range<u64>,
    /// The seed of the lesions.
    pub seed: u64,
}

impl Protocol {
    /// Three to five lesions of one class in slices at 60 to 130 mm. Both classes are equally
    /// frequent. Class, number, choice and position of the lesions are drawn from separate streams.
    pub fn corrected() -> Self {
        Self {
            heights_mm: 60.0..=130.0,
            lesions: 3..=5,
            recipe: Recipe::published(),
            strongest: 0.5,
            defects: Defects::NONE,
        }
    }

    /// The same with all defects of the public code.
    pub fn published() -> Self {
        Self {
            defects: Defects::ALL,
            ..Self::corrected()
        }
    }

    /// The parts for training, validation and test, with the given numbers of subjects. No two
    /// parts share a subject. Under D7, the test uses the validation's subjects. If it needs more, as at every
    /// scale, further subjects follow, as in the public code. Under D6, the seeds are as far apart as in the public code, because
    /// each image uses one.
    pub fn splits(&self, [training, validation, test]: [u64; 3]) -> [Split; 3] {
        let chosen = training + validation;
        let tested = if self.defects.has(Defect::KnownSubjects) {
            training
        } else {
            chosen
        };
        let subjects = [0..training, training..chosen, tested..tested + test];
        let mut parts = subjects.into_iter().zip(self.seeds());
        std::array::from_fn(|_| {
            let (subjects, seed) = parts.next().expect("three of each");
            Split { subjects, seed }
        })
    }

    /// The seeds of the lesions for training, validation and test.
    fn seeds(&self) -> [u64; 3] {
        if self.defects.has(Defect::OneSeed) {
            [0, 30_000, 50_000]
        } else {
            [0, 1, 2]
        }
    }

    /// The seed of the slices' heights. Under D7, the test uses the slices of the validation.
    pub(super) fn slices_seed(&self, seed: u64) -> u64 {
        let [_, validation, test] = self.seeds();
        if self.defects.has(Defect::KnownSubjects) && seed == test {
            validation
        } else {
            seed
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let (fewest, most) = (*self.lesions.start(), *self.lesions.end());
        if fewest == 0 || fewest > most || most > self.recipe.count {
            return Err(Error::invalid(format!(
                "{fewest} to {most} lesions per slice cannot be chosen from {} of each class; give at \
                 least one and at most as many as there are",
                self.recipe.count
            )));
        }
        if !(self.strongest > 0.0 && self.strongest <= 1.0) {
            return Err(Error::invalid(format!(
                "lesions of contrast {} cannot be seen or are brighter than white; give one above 0 \
                 and up to 1",
                self.strongest
            )));
        }
        Ok(())
    }
}
