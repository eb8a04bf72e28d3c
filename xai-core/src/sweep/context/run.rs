//! What an experiment defines about one cell.

use std::path::Path;

use super::benchmark::Benchmark;
use super::lab::Lab;
use crate::device::Device;
use crate::error::Result;
use crate::metrics::Scores;
use crate::network::Network;
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::declare::{Experiment, Published};
use crate::sweep::keep::Reference;
use crate::sweep::read::Results;
use crate::training::{Epoch, Examples, Validation, probabilities};

/// The work of one cell of an experiment.
pub trait Run: Experiment {
    /// The data with ground truth that the experiment runs on.
    type Benchmark: Benchmark;

    /// The type that a cell fits.
    type Model: Model;

    /// Raise this when a change to code in another file changes the result of [`Run::fit`]. Every cell is then computed
    /// again. A change to the experiment's own file is seen without it.
    const FIT_VERSION: u32 = 1;

    /// Raise this when a change to code in another file changes the result of [`Run::test`] or [`Run::references`].
    /// Models are kept.
    const TEST_VERSION: u32 = 1;

    /// The benchmark of this cell. By default, the benchmark of the run. Override it if the
    /// experiment varies the benchmark by one of its parameters. Fitting, predicting and testing
    /// use it. Its [`identity`](Benchmark::identity) is part of the cell's key.
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

    /// References on the same images, once per sweep. By default, none.
    fn references(lab: &Lab<Self::Benchmark>) -> Result<Vec<Reference>> {
        let _ = lab;
        Ok(Vec::new())
    }

    /// Values that others have published for cells of this experiment, for `--against published`. By default, none.
    fn published() -> Option<Published> {
        None
    }

    /// Adds the experiment's own tables and charts to the report of a finished run. By default,
    /// none.
    ///
    /// It is called at the end of every run, after the experiment's table and figure have been
    /// made. It receives what [`results`](crate::results) returns. Parts added before an error are
    /// kept.
    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let _ = (results, analysis);
        Ok(())
    }
}

/// A model that a sweep can save, load and apply to the test set.
pub trait Model: Sized {
    /// Writes the model to a file.
    fn save(&self, path: &Path) -> Result<()>;

    /// Reads a file written by [`Model::save`], onto a device.
    fn load(path: &Path, device: &Device) -> Result<Self>;

    /// The probability of each class, one row per image. The class with the largest one is
    /// predicted. A regression has rows of one number: what it predicts.
    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>>;
}

/// The name of the pass over the test images. Dropout that stays on draws its masks by it.
const TEST: &str = "test";

impl Model for Network {
    fn save(&self, path: &Path) -> Result<()> {
        self.save(path)
    }

    fn load(path: &Path, device: &Device) -> Result<Self> {
        Network::load(path, device)
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let outputs = images.logits(self, TEST);
        let predicted = outputs.iter().map(|outputs| match outputs[..] {
            [number] => vec![number.into()],
            _ => probabilities(outputs, Some(self)),
        });
        Ok(predicted.collect())
    }
}

/// A fitted model and the record of its training.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    /// The model, at the epoch that was kept.
    pub model: M,
    /// Its result on the validation set.
    pub validation: Validation,
    /// How the training went, one entry per epoch.
    pub history: Vec<Epoch>,
}
