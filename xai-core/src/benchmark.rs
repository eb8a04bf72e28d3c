//! The benchmark: images with lesions, their class and their ground truth.

use std::ops::{Range, RangeInclusive};

use ndarray::{Array2, Array3, Axis};
use rand::Rng;
use rand::seq::{SliceRandom, index};
use rayon::prelude::*;

use crate::data::{Source, resize};
use crate::error::{Error, Result};
use crate::lesion::{Class, Lesion, placement, published};
use crate::random::stream;

/// How often the lesions of a slice are drawn anew when they do not fit.
const MOST_REDRAWS: usize = 20;
/// A slice needs this many brain pixels (2,500 mm^2) to be worth drawing in.
const LEAST_BRAIN: usize = 5_000;

/// Images with lesions. All arrays have the same first length.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[n, size, size]`, values in [0, 1], 0 outside the brain.
    pub images: Array3<f32>,
    /// `[n, size, size]`; a pixel belongs to a lesion where this is above 0.
    pub truth: Array3<f32>,
    /// 0 regular, 1 irregular.
    pub class: Vec<u8>,
    /// Whose slice it is: the subject's number in its cohort.
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

/// How images are made. [`Protocol::corrected`] is the benchmark as the paper describes it, with
/// independent draws.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Heights of the slices in mm.
    pub heights_mm: RangeInclusive<f32>,
    /// How many lesions a slice gets (uniform).
    pub lesions: RangeInclusive<usize>,
    /// What a lesion's strongest pixel weighs in the blend, in (0, 1].
    pub strongest: f64,
}

impl Protocol {
    /// Three to five lesions of one class in slices at 60 to 130 mm; both classes equally often;
    /// class, number, choice and position of the lesions drawn from streams of their own.
    pub fn corrected() -> Self {
        Self {
            heights_mm: 60.0..=130.0,
            lesions: 3..=5,
            strongest: 0.5,
        }
    }

    /// `slices_per_subject` images of each subject, subject after subject.
    ///
    /// Lesions are placed at 0.7 mm and then image and truth are resized to `size` x `size`, as the
    /// paper does for 224. At 112 x 112 a slice's truth holds about 680 pixels, most of them faint
    /// fringe from the resizing; about 150 are above 0.5.
    ///
    /// Classes are balanced over the whole call. `seed` stands for the lesions; the same subjects
    /// under another seed have other lesions in other slices.
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
        let class = balanced(count, seed, &subjects);
        let mut images = Array3::zeros((count, size, size));
        let mut truth = Array3::zeros((count, size, size));
        images
            .axis_chunks_iter_mut(Axis(0), slices_per_subject)
            .into_par_iter()
            .zip(truth.axis_chunks_iter_mut(Axis(0), slices_per_subject))
            .zip(class.par_chunks(slices_per_subject))
            .enumerate()
            .try_for_each(|(i, ((mut images, mut truth), class))| {
                let subject = subjects.start + i as u64;
                let rng = &mut stream(seed, &format!("benchmark/heights/{subject}"));
                let slices =
                    source.slices(subject, slices_per_subject, self.heights_mm.clone(), rng)?;
                for (k, (height_mm, slice)) in slices.iter().enumerate() {
                    let place = Place {
                        seed,
                        subject,
                        name: source.name(subject),
                        height_mm: *height_mm,
                        slice: k,
                    };
                    let (image, mask) = self.sample(slice, class[k], &place)?;
                    let shrink = |a: Array2<f64>| resize(a.view(), [size, size]).mapv(|v| v as f32);
                    images.index_axis_mut(Axis(0), k).assign(&shrink(image));
                    truth.index_axis_mut(Axis(0), k).assign(&shrink(mask));
                }
                Ok(())
            })?;
        let subject = subjects.flat_map(|s| std::iter::repeat_n(s as u32, slices_per_subject));
        Ok(Samples {
            images,
            truth,
            class: class.iter().map(|&class| class as u8).collect(),
            subject: subject.collect(),
        })
    }

    /// One slice with its lesions, and their truth, at 0.7 mm.
    fn sample(
        &self,
        slice: &Array2<f32>,
        class: Class,
        place: &Place,
    ) -> Result<(Array2<f64>, Array2<f64>)> {
        let brain = slice.mapv(|v| v > 0.0);
        if brain.iter().filter(|&&inside| inside).count() < LEAST_BRAIN {
            return Err(place.error("holds too little brain"));
        }
        let background = slice.mapv(f64::from);
        let library = published().class(class);
        // What does not fit is drawn anew from the same streams.
        let mut count_rng = place.stream("count");
        let mut choice_rng = place.stream("choice");
        let mut position_rng = place.stream("position");
        for _ in 0..MOST_REDRAWS {
            let count = count_rng
                .random_range(self.lesions.clone())
                .min(library.len());
            let chosen = index::sample(&mut choice_rng, library.len(), count);
            let lesions: Vec<&Lesion> = chosen.iter().map(|i| &library[i]).collect();
            if let Some(corners) = placement::positions(brain.view(), &lesions, &mut position_rng) {
                return Ok(placement::blend(
                    background.view(),
                    &lesions,
                    &corners,
                    self.strongest,
                ));
            }
        }
        Err(place.error("has no room for its lesions"))
    }
}

/// Which slice is being drawn in.
struct Place {
    seed: u64,
    subject: u64,
    name: String,
    height_mm: f32,
    /// The slice's number among its subject's.
    slice: usize,
}

impl Place {
    fn stream(&self, purpose: &str) -> impl Rng + use<> {
        stream(
            self.seed,
            &format!("benchmark/{purpose}/{}/{}", self.subject, self.slice),
        )
    }

    fn error(&self, problem: &str) -> Error {
        Error::invalid(format!(
            "the slice of {} at {:.1} mm {problem}; choose other heights or leave the subject out",
            self.name, self.height_mm
        ))
    }
}

/// Equally many of both classes (but for one image of an odd number), in random order.
fn balanced(count: usize, seed: u64, subjects: &Range<u64>) -> Vec<Class> {
    let rng = &mut stream(
        seed,
        &format!("benchmark/class/{}/{}", subjects.start, subjects.end),
    );
    let mut classes: Vec<Class> = (0..count)
        .map(|i| {
            if i % 2 == 0 {
                Class::Regular
            } else {
                Class::Irregular
            }
        })
        .collect();
    classes.shuffle(rng);
    classes
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
