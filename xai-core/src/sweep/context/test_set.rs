//! The test images in the laboratory.

use std::sync::Arc;

use ndarray::Axis;

use super::benchmark::Benchmark;
use super::lab::Lab;
use super::run::Model;
use crate::attribution::Images;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::random;
use crate::sweep::keep::ChosenByWinners;
use crate::training::argmax;

impl<B: Benchmark> Lab<B> {
    /// The images that neither training nor selection has used.
    pub fn test(&self) -> TestSet<'_, B> {
        TestSet { lab: self }
    }
}

/// The test images, and subsets of them that become known during the sweep.
///
/// A subset may be empty. If it has more images than [`Benchmark::explained`] allows, evenly spaced
/// ones are taken. [`Images::index`] gives their positions in the test set.
pub struct TestSet<'a, B> {
    lab: &'a Lab<B>,
}

impl<B: Benchmark> TestSet<'_, B> {
    /// The images with their classes, ground truth and groups. They stay in memory while there is room.
    ///
    /// # Errors
    /// As [`Benchmark::split`].
    pub fn dataset(&self) -> Result<Arc<Dataset>> {
        self.lab.dataset(Split::Test)
    }

    /// All test images.
    ///
    /// # Errors
    /// As [`Benchmark::split`].
    pub fn all(&self) -> Result<Images> {
        let count = self.dataset()?.len() as u32;
        self.some((0..count).collect())
    }

    /// The images that `model` classifies correctly.
    ///
    /// # Errors
    /// As [`all`](Self::all); if the model is a regression.
    pub fn classified_correctly_by(&self, model: &impl Model) -> Result<Images> {
        self.by(model, true)
    }

    /// The images that `model` misclassifies.
    ///
    /// # Errors
    /// As [`classified_correctly_by`](Self::classified_correctly_by).
    pub fn misclassified_by(&self, model: &impl Model) -> Result<Images> {
        self.by(model, false)
    }

    /// The images that every winner of the selection classifies correctly. Only on these can
    /// explanations be compared.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if there is no such
    /// image; if the winners were tested on different images.
    pub fn classified_correctly_by_all(&self) -> Result<Images> {
        self.some(self.lab.chosen(ChosenByWinners::CorrectByAll)?)
    }

    /// The images that are classified correctly by every winner that was tested on this
    /// laboratory's images. For experiments whose cells have different images.
    ///
    /// # Errors
    /// As [`classified_correctly_by_all`](Self::classified_correctly_by_all).
    pub fn classified_correctly_by_all_tested_here(&self) -> Result<Images> {
        let here = self.dataset()?.key().clone();
        let chosen = ChosenByWinners::CorrectByAllTestedOn(here);
        self.some(self.lab.chosen(chosen)?)
    }

    /// The images that every winner of the selection misclassifies.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if the winners were
    /// tested on different images.
    pub fn misclassified_by_all(&self) -> Result<Images> {
        self.some(self.lab.chosen(ChosenByWinners::WrongByAll)?)
    }

    /// The images on which the winners of the selection disagree: some winners are right and others
    /// wrong.
    ///
    /// # Errors
    /// As [`misclassified_by_all`](Self::misclassified_by_all).
    pub fn misclassified_by_some(&self) -> Result<Images> {
        self.some(self.lab.chosen(ChosenByWinners::Disputed)?)
    }

    fn by(&self, model: &impl Model, correctly: bool) -> Result<Images> {
        let images = self.lab.examples(Split::Test)?;
        let rows = model.predict(&images)?;
        if rows.iter().any(|row| row.len() == 1) {
            return Err(Error::invalid(
                "a regression classifies no image, so images cannot be chosen by whether it is right; explain \
                 `lab.test().all()` instead",
            ));
        }
        let found = (0..).zip(rows).zip(images.class());
        let wanted =
            found.filter(|((_, row), class)| (argmax(row) == usize::from(**class)) == correctly);
        self.some(wanted.map(|((image, _), _)| image).collect())
    }

    /// The images with these indices and their ground truth, or evenly spaced ones of them.
    fn some(&self, images: Vec<u32>) -> Result<Images> {
        let count = images.len().min(self.lab.benchmark().explained());
        let spaced = random::spaced(count, images.len()).into_iter();
        let index: Vec<u32> = spaced.map(|at| images[at]).collect();
        let which: Vec<usize> = index.iter().map(|&at| at as usize).collect();
        let dataset = self.dataset()?;
        let class = which.iter().map(|&at| dataset.class()[at]).collect();
        let mut images = Images::new(dataset.images().select(Axis(0), &which), class);
        if let Some(truth) = dataset.truth() {
            images = images.with_truth(truth.select(Axis(0), &which));
        }
        let images = images.with_index(index).shown_in(self.lab.gallery());
        Ok(images.within(self.lab.memory_for_passes()))
    }
}
