//! What a benchmark consists of.

use ndarray::{Array3, Axis};

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
