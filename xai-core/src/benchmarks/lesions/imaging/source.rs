//! Sources of subjects: synthetic or scanned.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;

use crate::benchmarks::lesions::imaging::{Cohort, Sex, Slices, heights};
use crate::error::Result;

/// Subjects, numbered from 0, with slices of their brains.
pub trait Source: Sync {
    /// The name of a subject in messages.
    fn name(&self, subject: u64) -> String;

    /// The subject's sex.
    fn sex(&self, subject: u64) -> Sex;

    /// `count` axial slices of [`SLICE_SHAPE`](super::SLICE_SHAPE), lowest first, each with its
    /// height (mm).
    ///
    /// `heights_mm` and `rng` apply to synthetic subjects, which can be cut anywhere; see
    /// [`heights`].
    ///
    /// # Errors
    /// If stored slices cannot be read.
    fn slices(
        &self,
        subject: u64,
        count: usize,
        heights_mm: RangeInclusive<f32>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<(f32, Array2<f32>)>>;

    /// A seed that differs between sources without a common subject.
    fn seed(&self) -> u64;
}

impl Source for Cohort {
    fn name(&self, subject: u64) -> String {
        format!("subject {subject}")
    }

    fn sex(&self, subject: u64) -> Sex {
        self.subject(subject).sex
    }

    fn slices(
        &self,
        subject: u64,
        count: usize,
        heights_mm: RangeInclusive<f32>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<(f32, Array2<f32>)>> {
        let heights = heights(heights_mm, count, rng);
        let slices = self.subject(subject).slices(&heights);
        Ok(heights.into_iter().zip(slices).collect())
    }

    fn seed(&self) -> u64 {
        self.seed()
    }
}

/// Subjects whose slices are stored in files by [`Slices::write`]. A file is read when its slices
/// are needed.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    /// In the order of their numbers.
    pub subjects: Vec<ScannedSubject>,
}

/// A subject of [`Scanned`].
#[derive(Clone, Debug)]
pub struct ScannedSubject {
    /// The name of the subject in the folder of scans.
    pub name: String,
    /// The sex according to the folder's table.
    pub sex: Sex,
    /// The file of the slices.
    pub slices: PathBuf,
}

impl Scanned {
    fn of(&self, subject: u64) -> &ScannedSubject {
        &self.subjects[subject as usize]
    }
}

/// Panics if there is no subject with that number, or if it has fewer slices than requested.
impl Source for Scanned {
    fn name(&self, subject: u64) -> String {
        self.of(subject).name.clone()
    }

    fn sex(&self, subject: u64) -> Sex {
        self.of(subject).sex
    }

    fn slices(
        &self,
        subject: u64,
        count: usize,
        _: RangeInclusive<f32>,
        _: &mut ChaCha8Rng,
    ) -> Result<Vec<(f32, Array2<f32>)>> {
        Ok(Slices::read(&self.of(subject).slices)?.pick(count))
    }

    fn seed(&self) -> u64 {
        0
    }
}
