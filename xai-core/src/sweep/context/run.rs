//! What an experiment must say about one cell.

use std::path::Path;

use super::benchmark::Benchmark;
use super::lab::Lab;
use crate::device::Device;
use crate::error::Result;
use crate::metrics::Scores;
use crate::network::Network;
use crate::sweep::declare::Experiment;
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::keep::Reference;
use crate::sweep::read::Results;
use crate::training::{Epoch, Examples, Validation, softmax};

/// What happens in one cell of an experiment.
pub trait Run: Experiment {
    /// The data with ground truth that the experiment runs on.
    type Benchmark: Benchmark;

    /// What is fitted.
    type Model: Model;

    /// Raise this when a change to [`Run::fit`] changes its result: every cell is computed again.
    const FIT_VERSION: u32 = 1;

    /// Raise this when a change to [`Run::test`] or [`Run::references`] changes its result: models are kept.
    const TEST_VERSION: u32 = 1;

    /// The benchmark of this cell: the run's own unless this is written, such as one whose images differ along an axis.
    /// Fitting, predicting and testing see it. Its [`identity`](Benchmark::identity) is part of the cell's key.
    ///
    /// # Errors
    /// If the run's benchmark has no such variant.
    fn benchmark(&self, base: &Self::Benchmark) -> Result<Self::Benchmark> {
        Ok(base.clone())
    }

    /// Fits the model of this cell.
    fn fit(&self, lab: &Lab<Self::Benchmark>) -> Result<Fitted<Self::Model>>;

    /// Explains and scores images of [`Lab::test`], such as those that every winner classifies correctly.
    fn test(&self, fitted: &Fitted<Self::Model>, lab: &Lab<Self::Benchmark>) -> Result<Scores>;

    /// References on the same images, once per sweep. None unless this is written.
    fn references(lab: &Lab<Self::Benchmark>) -> Result<Vec<Reference>> {
        let _ = lab;
        Ok(Vec::new())
    }

    /// Adds tables and charts of the experiment's own to the report of a finished run. None unless this is written.
    ///
    /// It is called at the end of every run, after the experiment's table and figure are made, and
    /// sees what [`results`](crate::results) gives. What was added before an error is kept.
    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let _ = (results, analysis);
        Ok(())
    }
}

/// A model that a sweep can keep, bring back and try on the test set.
pub trait Model: Sized {
    /// Writes the model to a file.
    fn save(&self, path: &Path) -> Result<()>;

    /// Reads what [`Model::save`] wrote, onto a device.
    fn load(path: &Path, device: &Device) -> Result<Self>;

    /// The probability of each class, one row per image; the largest is the class predicted.
    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>>;
}

/// The name of the pass over the test images, by which dropout that stays on draws its masks.
const TEST: &str = "test";

impl Model for Network {
    fn save(&self, path: &Path) -> Result<()> {
        self.save(path)
    }

    fn load(path: &Path, device: &Device) -> Result<Self> {
        Network::load(path, device)
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let logits = images.logits(self, TEST);
        Ok(logits.iter().map(|logits| softmax(logits)).collect())
    }
}

/// A fitted model and what its fitting showed.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    /// The model, at the epoch that was kept.
    pub model: M,
    /// Its result on the validation set.
    pub validation: Validation,
    /// How the training went, one entry per epoch.
    pub history: Vec<Epoch>,
}
