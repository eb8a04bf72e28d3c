//! Pre-training tasks: labelled images from which a network learns features before the benchmark.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use crate::benchmarks::lesions::imaging::{Sex, Source};
use crate::error::{Error, Result};
use crate::image::resize;
use crate::random::stream;

/// Grey images, each of one class.
#[derive(Clone, Debug)]
pub struct Task {
    /// `[n, size, size]`, values in [0, 1].
    pub images: Array3<f32>,
    /// The class of each image, below `classes`.
    pub class: Vec<u8>,
    /// The number of classes.
    pub classes: usize,
}

/// The within-domain task: predict the [`Sex`] of subjects from single axial slices.
///
/// Each subject gives `slices_per_subject` consecutive slices. A synthetic subject gives one at a
/// random height in each of as many equal parts of 60..=130 mm. Class 0 is female and class 1 male.
/// In a cohort, a range that begins and ends at even numbers is balanced.
pub fn sex_task(
    source: &dyn Source,
    subjects: Range<u64>,
    slices_per_subject: usize,
    size: usize,
) -> Result<Task> {
    if subjects.is_empty() || slices_per_subject == 0 || size == 0 {
        return Err(Error::invalid(format!(
            "the sex task needs at least one subject, slice and pixel, not {subjects:?} x \
             {slices_per_subject} slices of {size} pixels"
        )));
    }
    let count = (subjects.end - subjects.start) as usize;
    let mut images = Array3::zeros((count * slices_per_subject, size, size));
    let mut sexes = vec![Sex::Female; count];
    images
        .axis_chunks_iter_mut(Axis(0), slices_per_subject)
        .into_par_iter()
        .zip(&mut sexes)
        .enumerate()
        .try_for_each(|(i, (mut images, sex))| -> Result<()> {
            let index = subjects.start + i as u64;
            let rng = &mut stream(source.seed(), &format!("task/heights/{index}"));
            let slices = source.slices(index, slices_per_subject, 60.0..=130.0, rng)?;
            for (mut image, (_, slice)) in images.outer_iter_mut().zip(slices) {
                image.assign(&shrunk(&slice, size));
            }
            *sex = source.sex(index);
            Ok(())
        })?;
    let class = sexes
        .iter()
        .flat_map(|&sex| std::iter::repeat_n(sex as u8, slices_per_subject));
    Ok(Task {
        images,
        class: class.collect(),
        classes: 2,
    })
}

fn shrunk(slice: &Array2<f32>, size: usize) -> Array2<f32> {
    resize(slice.mapv(f64::from).view(), [size, size]).mapv(|v| v as f32)
}
