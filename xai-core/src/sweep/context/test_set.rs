//! The test images in the laboratory.

use std::sync::Arc;

use ndarray::Axis;

use super::benchmark::Benchmark;
use super::lab::Lab;
use super::run::Model;
use crate::attribution::Images;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::training::argmax;

impl<B: Benchmark> Lab<B> {
    /// The images that no training and no selection has seen.
    pub fn test(&self) -> TestSet<'_, B> {
        TestSet { lab: self }
    }
}

/// The test images, and parts of them that become known as the sweep goes on.
///
/// A part may be empty. Of more images than [`Benchmark::explained`] allows it holds evenly spaced ones.
/// [`Images::index`] says which images of the test set they are.
pub struct TestSet<'a, B> {
    lab: &'a Lab<B>,
}

impl<B: Benchmark> TestSet<'_, B> {
    /// The images with all that is known of them, read or made once per process.
    ///
    /// # Errors
    /// What [`Benchmark::split`] gives.
    pub fn dataset(&self) -> Result<Arc<Dataset>> {
        self.lab.dataset(Split::Test)
    }

    /// All of them.
    ///
    /// # Errors
    /// If the images cannot be made.
    pub fn all(&self) -> Result<Images> {
        let count = self.dataset()?.len() as u32;
        self.some((0..count).collect())
    }

    /// Those that `model` classifies correctly.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn classified_correctly_by(&self, model: &impl Model) -> Result<Images> {
        self.by(model, true)
    }

    /// Those that `model` classifies wrongly.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn misclassified_by(&self, model: &impl Model) -> Result<Images> {
        self.by(model, false)
    }

    /// Those that every winner of the selection classifies correctly: the only ones on which explanations
    /// can be compared.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if there is no such image, or the winners were
    /// tested on different images.
    pub fn classified_correctly_by_all(&self) -> Result<Images> {
        self.some(self.lab.consensus()?.agreed()?)
    }

    /// Those that every winner of the selection classifies wrongly.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if the winners were tested on different images.
    pub fn misclassified_by_all(&self) -> Result<Images> {
        self.some(self.lab.consensus()?.images(|right, _| right == 0)?)
    }

    /// Those about which the winners of the selection disagree: some of them are right and others wrong.
    ///
    /// # Errors
    /// As [`misclassified_by_all`](Self::misclassified_by_all).
    pub fn misclassified_by_some(&self) -> Result<Images> {
        let disputed = |right, winners| 0 < right && right < winners;
        self.some(self.lab.consensus()?.images(disputed)?)
    }

    fn by(&self, model: &impl Model, correctly: bool) -> Result<Images> {
        let images = self.lab.examples(Split::Test)?;
        let found = (0..).zip(model.predict(&images)?).zip(images.class());
        let wanted = found.filter(|((_, row), class)| (argmax(row) == **class) == correctly);
        self.some(wanted.map(|((image, _), _)| image).collect())
    }

    /// The images of these numbers with their truth, or evenly spaced ones of them.
    fn some(&self, images: Vec<u32>) -> Result<Images> {
        let count = images.len().min(self.lab.benchmark().explained());
        let spaced = (0..count).map(|at| images[at * images.len() / count]);
        let index: Vec<u32> = spaced.collect();
        let which: Vec<usize> = index.iter().map(|&at| at as usize).collect();
        let dataset = self.dataset()?;
        let class = which.iter().map(|&at| dataset.class()[at]).collect();
        let mut images = Images::new(dataset.images().select(Axis(0), &which), class);
        if let Some(truth) = dataset.truth() {
            images = images.with_truth(truth.select(Axis(0), &which));
        }
        Ok(images.with_index(index).shown_in(self.lab.gallery()))
    }
}
