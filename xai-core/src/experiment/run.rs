//! What an experiment must say about one cell.

use std::path::Path;

use super::analysis::Analysis;
use super::lab::Lab;
use super::results::{Baseline, Results};
use super::spec::Experiment;
use crate::error::Result;
use crate::score::Scores;
use crate::training::{Epoch, Validation};

/// What happens in one cell of an experiment.
pub trait Run: Experiment {
    /// What is fitted.
    type Model: Model;

    /// Raise this when a change to [`Run::fit`] changes its result: every cell is computed again.
    const FIT_VERSION: u32 = 1;

    /// Raise this when a change to [`Run::test`] or [`Run::baselines`] changes its result: models are kept.
    const TEST_VERSION: u32 = 1;

    /// The laboratory of this cell: the sweep's own unless this is written, such as one
    /// [with defects](Lab::with_defects) that are an axis. Fitting, predicting and testing get it.
    fn lab(&self, lab: &Lab) -> Lab {
        lab.clone()
    }

    /// Fits the model of this cell.
    fn fit(&self, lab: &Lab) -> Result<Fitted<Self::Model>>;

    /// Explains and scores images of [`Lab::test`], such as those that every winner classifies correctly.
    fn test(&self, fitted: &Fitted<Self::Model>, lab: &Lab) -> Result<Scores>;

    /// References on the same images, once a sweep. None unless this is written.
    fn baselines(lab: &Lab) -> Result<Vec<Baseline>> {
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

    /// Reads what [`Model::save`] wrote, onto the device of the laboratory.
    fn load(path: &Path, lab: &Lab) -> Result<Self>;

    /// The probability of each class, a row a test image; the largest is the class predicted.
    fn predict(&self, lab: &Lab) -> Result<Vec<Vec<f64>>>;

    /// The true class of every test image, in the same order.
    fn classes(lab: &Lab) -> Result<Vec<u8>>;
}

/// A fitted model and what its fitting showed.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    /// The model, at the epoch that was kept.
    pub model: M,
    /// Its result on the validation set.
    pub validation: Validation,
    /// How the training went, an entry an epoch.
    pub history: Vec<Epoch>,
}
