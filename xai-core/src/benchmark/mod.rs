//! The benchmark: images with lesions, their class and their ground truth.
//!
//! A [`Protocol`] says how images are made, [`Defects`] which faults of the public code it repeats.

mod defects;
mod painter;
mod samples;

use std::ops::{Range, RangeInclusive};

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use crate::data::{Resizer, SLICE_SHAPE, Source, extremes};
use crate::device::vectorised;
use crate::error::{Error, Result};
use crate::lesion::Recipe;
use crate::random::stream;

pub use defects::{Defect, Defects};
pub use painter::{Painted, Painter};
pub use samples::Samples;

/// Under D6 a slice without room for its lesions takes the seed so much higher, which no split has.
const BEYOND_SEEDS: usize = 1_000_000;

/// A slice needs this many brain pixels (2,500 mm^2) to be worth drawing in.
const LEAST_BRAIN: usize = 5_000;

/// The brightest pixel of a slice, which leaves room for brighter lesions.
const BRIGHTEST: f64 = 0.7;

/// Any slice as lesions are painted in: stretched so that its least value is 0, which is no brain, and its
/// largest 0.7.
///
/// # Errors
/// Values that are not finite, or all the same.
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
        // Not stopped at the first one, so that the compiler vectorises it.
        pixels.iter().fold(true, |all, v| all & v.is_finite())
    }
}

vectorised! {
    /// So that `low` becomes 0 and `high` the brightest.
    fn stretch(pixels: &mut [f64], low: f64, high: f64) {
        for v in pixels {
            *v = (*v - low) / (high - low) * BRIGHTEST;
        }
    }
}

/// How images are made. [`Protocol::corrected`] is the benchmark as the paper describes it, with
/// independent draws; [`Protocol::published`] is the one that its figures were made with.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Heights of the slices in mm.
    pub heights_mm: RangeInclusive<f32>,
    /// How many lesions a slice gets (uniform).
    pub lesions: RangeInclusive<usize>,
    /// What lesions there are to choose from: their size, their shape.
    pub recipe: Recipe,
    /// What a lesion's strongest pixel weighs in the blend, in (0, 1]: the contrast.
    pub strongest: f64,
    /// What is done as in the public code.
    pub defects: Defects,
}

/// What a part of the benchmark is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Whose slices.
    pub subjects: Range<u64>,
    /// The seed of the lesions.
    pub seed: u64,
}

impl Protocol {
    /// Three to five lesions of one class in slices at 60 to 130 mm; both classes equally often;
    /// class, number, choice and position of the lesions drawn from streams of their own.
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

    /// The parts for training, validation and test, with so many subjects each. No two share a
    /// subject; under D7 the test has the validation's subjects (as many as it wants, from the first).
    /// Under D6 seeds are so far apart as the public code has them, since each image takes one.
    pub fn splits(&self, [training, validation, test]: [u64; 3]) -> [Split; 3] {
        let chosen = training + validation;
        let tested = match self.defects.has(Defect::D7) {
            true => training,
            false => chosen,
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
        match self.defects.has(Defect::D6) {
            true => [0, 30_000, 50_000],
            false => [0, 1, 2],
        }
    }

    /// The seed of the slices' heights. Under D7 the test has the slices of the validation.
    fn slices_seed(&self, seed: u64) -> u64 {
        let [_, validation, test] = self.seeds();
        match self.defects.has(Defect::D7) && seed == test {
            true => validation,
            false => seed,
        }
    }

    /// What paints `count` images, numbered from 0.
    ///
    /// # Errors
    /// Settings that make no sense, lesions that are too rare to be found, and a seed beyond NumPy's
    /// under D6.
    pub fn painter(&self, count: usize, seed: u64) -> Result<Painter<'_>> {
        Painter::new(self, count, seed, &format!("0/{count}"))
    }

    /// `slices_per_subject` images of each subject, subject after subject.
    ///
    /// Lesions are placed at 0.7 mm and then image and truth are resized to `size` x `size`, as the
    /// paper does for 224. At 112 x 112 a slice's truth holds about 680 pixels, most of them faint
    /// fringe from the resizing; about 150 are above 0.5.
    ///
    /// Classes are balanced over the whole call (but under D6). `seed` stands for the lesions; the
    /// same subjects under another seed have other lesions in other slices (under D7, those of the test in the
    /// slices of the validation).
    ///
    /// Errors name the subject and height of a slice that is too small for its lesions.
    pub fn samples(
        &self,
        source: &dyn Source,
        subjects: Range<u64>,
        slices_per_subject: usize,
        size: usize,
        seed: u64,
    ) -> Result<Samples> {
        if subjects.is_empty() || slices_per_subject == 0 || size == 0 {
            return Err(Error::invalid(format!(
                "a benchmark needs at least one subject, slice and pixel, not {subjects:?} x \
                 {slices_per_subject} slices of {size} pixels"
            )));
        }
        if u32::try_from(subjects.end).is_err() {
            return Err(Error::invalid(format!(
                "subjects {subjects:?} are beyond 2^32"
            )));
        }
        let count = (subjects.end - subjects.start) as usize * slices_per_subject;
        let split = format!("{}/{}", subjects.start, subjects.end);
        let painter = Painter::new(self, count, seed, &split)?;
        let resizer = Resizer::new(SLICE_SHAPE, [size, size]);
        let slices_seed = self.slices_seed(seed);
        let mut images = Array3::zeros((count, size, size));
        let mut truth = Array3::zeros((count, size, size));
        let mut class = vec![0; count];
        images
            .axis_chunks_iter_mut(Axis(0), slices_per_subject)
            .into_par_iter()
            .zip(truth.axis_chunks_iter_mut(Axis(0), slices_per_subject))
            .zip(class.par_chunks_mut(slices_per_subject))
            .enumerate()
            .try_for_each(|(i, ((mut images, mut truth), class))| {
                let subject = subjects.start + i as u64;
                let rng = &mut stream(slices_seed, &format!("benchmark/heights/{subject}"));
                let slices =
                    source.slices(subject, slices_per_subject, self.heights_mm.clone(), rng)?;
                for (k, (height_mm, slice)) in slices.iter().enumerate() {
                    let problem = |what: &str| {
                        Error::invalid(format!(
                            "the slice of {} at {height_mm:.1} mm {what}; choose other heights or \
                             leave the subject out",
                            source.name(subject)
                        ))
                    };
                    if slice.iter().filter(|&&v| v > 0.0).count() < LEAST_BRAIN {
                        return Err(problem("holds too little brain"));
                    }
                    let number = i * slices_per_subject + k;
                    let name = format!("{subject}/{k}");
                    let slice = slice.mapv(f64::from);
                    // Without room for what was drawn, the public code would try for ever.
                    let more = match self.defects.has(Defect::D6) {
                        true => 20,
                        false => 1,
                    };
                    let painted = (0..more)
                        .map(|again| number + again * BEYOND_SEEDS)
                        .find_map(|number| painter.paint(number, &name, slice.view()))
                        .ok_or_else(|| problem("has no room for its lesions"))?;
                    let [image, mask] = painted.resized(&resizer);
                    images.index_axis_mut(Axis(0), k).assign(&image);
                    truth.index_axis_mut(Axis(0), k).assign(&mask);
                    class[k] = painted.class as u8;
                }
                Ok(())
            })?;
        let subject = subjects.flat_map(|s| std::iter::repeat_n(s as u32, slices_per_subject));
        Ok(Samples {
            images,
            truth,
            class,
            subject: subject.collect(),
        })
    }

    fn check(&self) -> Result<()> {
        let (fewest, most) = (*self.lesions.start(), *self.lesions.end());
        if fewest == 0 || fewest > most || most > self.recipe.count {
            return Err(Error::invalid(format!(
                "{fewest} to {most} lesions a slice cannot be taken from {} of each class; give at \
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Cohort;

    #[test]
    fn images_do_not_depend_on_the_number_of_threads() {
        let make = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                Protocol::corrected()
                    .samples(&Cohort::new(2), 0..5, 3, 64, 1)
                    .unwrap()
            })
        };
        let (one, three) = (make(1), make(3));
        assert_eq!(one.images, three.images);
        assert_eq!(one.truth, three.truth);
        assert_eq!(one.class, three.class);
    }

    #[test]
    fn a_subset_keeps_rows_together() {
        let samples = Protocol::corrected()
            .samples(&Cohort::new(2), 0..3, 2, 32, 1)
            .unwrap();
        let subset = samples.subset(&[5, 2]);
        assert_eq!(subset.len(), 2);
        for (to, from) in [(0, 5), (1, 2)] {
            let row = |a: &Array3<f32>, i| a.index_axis(Axis(0), i).to_owned();
            assert_eq!(row(&subset.images, to), row(&samples.images, from));
            assert_eq!(row(&subset.truth, to), row(&samples.truth, from));
            assert_eq!(subset.class[to], samples.class[from]);
            assert_eq!(subset.subject[to], from as u32 / 2);
        }
    }
}
