//! The images of the benchmark with their ground truth.

use std::ops::Range;

use super::defects::Defect;
use super::painter::Painter;
use super::protocol::Protocol;
use crate::benchmarks::lesions::imaging::{SLICE_SHAPE, Source};
use crate::error::{Error, Result};
use crate::image::Resizer;
use crate::random::stream;
use ndarray::{Array3, Axis};
use rayon::prelude::*;

/// Images with lesions. All arrays have the same first length.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[n, size, size]`, values in [0, 1], 0 outside the brain.
    pub images: Array3<f32>,
    /// `[n, size, size]`. A pixel belongs to a lesion if this is above 0.
    pub truth: Array3<f32>,
    /// 0 regular, 1 irregular.
    pub class: Vec<u8>,
    /// The number of the slice's subject in its cohort.
    pub subject: Vec<u32>,
}

impl Samples {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// The images with the given numbers, in that order.
    ///
    /// # Panics
    /// If a number is not below [`Samples::len`].
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            images: self.images.select(Axis(0), indices),
            truth: self.truth.select(Axis(0), indices),
            class: indices.iter().map(|&i| self.class[i]).collect(),
            subject: indices.iter().map(|&i| self.subject[i]).collect(),
        }
    }
}

/// Under D6, a slice without room for its lesions uses a seed that is this much higher, which no
/// split uses.
const BEYOND_SEEDS: usize = 1_000_000;

/// A slice needs this many brain pixels (2,500 mm^2) to be used.
const LEAST_BRAIN: usize = 5_000;

impl Protocol {
    /// A painter for `count` images, numbered from 0.
    ///
    /// # Errors
    /// If the settings make no sense, if the lesions are too rare to be found, or if a seed is
    /// beyond NumPy's range under D6.
    pub fn painter(&self, count: usize, seed: u64) -> Result<Painter<'_>> {
        Painter::new(self, count, seed, &format!("0/{count}"))
    }

    /// `slices_per_subject` images of each subject, one subject after the other.
    ///
    /// Lesions are placed at 0.7 mm. Image and ground truth are then resized to `size` x `size`, as
    /// in the paper for 224. At 112 x 112, the ground truth of a slice has about 680 pixels. Most
    /// of them are a faint fringe from the resizing; about 150 are above 0.5.
    ///
    /// Classes are balanced over the whole call, except under D6. `seed` determines the lesions.
    /// With another seed, the same subjects have other lesions in other slices. Under D7, those of
    /// the test are in the slices of the validation.
    ///
    /// An error names the subject and the height of a slice that is too small for its lesions.
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
                    // If there is no room for the lesions drawn, the public code would try forever.
                    let more = if self.defects.has(Defect::OneSeed) {
                        20
                    } else {
                        1
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmarks::lesions::imaging::Cohort;

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
