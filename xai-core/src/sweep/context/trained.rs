//! Trainings in the laboratory. Each training is computed once, and shared by all experiments that
//! request it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::benchmark::Benchmark;
use super::lab::Lab;
use super::run::Fitted;
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::key::FIT_CODE;
use crate::network::Network;
use crate::training::{Epoch, Fit, TrainingPlan, fit_watched};

/// A training on the images of a laboratory: the network and how to train it.
#[derive(Clone, Debug)]
pub struct Training {
    /// The network before the training.
    pub network: Network,
    /// The first layer that is trained. The layers before it are frozen.
    pub first_layer: usize,
    /// How to train.
    pub plan: TrainingPlan,
    /// Seeds the order of the images and dropout.
    pub seed: u64,
    /// The label of the progress bar.
    pub label: String,
}

impl Training {
    /// A training of all layers.
    pub fn new(network: Network, plan: TrainingPlan, seed: u64) -> Self {
        Self {
            network,
            first_layer: 0,
            plan,
            seed,
            label: "training".to_owned(),
        }
    }
}

/// A network at one epoch of a training.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The network after the epoch, without batch norm.
    pub model: Network,
    /// The record of the epoch.
    pub epoch: Epoch,
}

/// The record of a training, stored beside the networks in its stage.
#[derive(Serialize, Deserialize)]
struct Record {
    history: Vec<Epoch>,
    /// The epoch that was kept.
    best: usize,
    seconds: f64,
}

const RECORD: &str = "training.json";
/// The file of a network within its stage.
const NETWORK: &str = "network.safetensors";

impl<B: Benchmark> Lab<B> {
    /// Trains a network on the training images, and keeps the epoch that the validation images
    /// select.
    ///
    /// At the end, batch norm is folded into the layers before it. If the same training is
    /// requested again, also by another experiment, it is read from its stage.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; if the loss is not finite; if the stage cannot be written.
    pub fn fit(&self, training: &Training) -> Result<Fitted<Network>> {
        let compute = |folder: &Path| {
            let fit = self.run_training(training, |_| Ok(()))?;
            write_finished(&fit.network, &folder.join(NETWORK))?;
            Ok(fit)
        };
        let (folder, record) = self.trained("training", training, compute)?;
        Ok(Fitted {
            model: Network::load(&folder.join(NETWORK), self.device())?,
            validation: record.history[record.best].validation,
            history: record.history,
        })
    }

    /// The networks after each epoch of the training of [`fit`](Self::fit), including the one that
    /// `fit` keeps.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_epochs(&self, training: &Training) -> Result<Vec<Checkpoint>> {
        let compute = |folder: &Path| {
            let mut epoch = 0;
            self.run_training(training, |end| {
                let network = training.network.with_end(training.first_layer, end);
                write_finished(&network, &folder.join(after(epoch)))?;
                epoch += 1;
                Ok(())
            })
        };
        let (folder, record) = self.trained("training-epochs", training, compute)?;
        let checkpoint = |(epoch, of): (usize, Epoch)| {
            Ok(Checkpoint {
                model: Network::load(&folder.join(after(epoch)), self.device())?,
                epoch: of,
            })
        };
        let history = record.history.into_iter().enumerate();
        history.map(checkpoint).collect()
    }

    fn run_training(
        &self,
        training: &Training,
        mut each_epoch: impl FnMut(&Network) -> Result<()>,
    ) -> Result<Fit> {
        // Before the frozen layers.
        for split in [Split::Train, Split::Validation] {
            let examples = self.examples(split)?;
            examples
                .check(&training.network, training.plan.loss)
                .map_err(|problem| {
                    Error::invalid(format!(
                        "the {split} images do not fit the network: {problem}"
                    ))
                })?;
        }
        let [train, validation] = self.frozen(&training.network, training.first_layer)?;
        self.end_of_shared_stages()?;
        let plan = &training.plan;
        let bar = self.progress(plan.steps(train.len()), &training.label);
        fit_watched(
            &training.network,
            training.first_layer,
            [&train, &validation],
            plan,
            training.seed,
            |epoch| bar.step(epoch, plan.epochs),
            |_, end| each_epoch(end),
        )
    }

    /// The stage of a training. `compute` fills its folder with networks; the record is written
    /// beside them.
    fn trained(
        &self,
        name: &str,
        training: &Training,
        compute: impl FnOnce(&Path) -> Result<Fit>,
    ) -> Result<(PathBuf, Record)> {
        let inputs = json!({
            "start": training.network.fingerprint(),
            "first_layer": training.first_layer,
            "plan": training.plan,
            "seed": training.seed,
            "images": [self.examples(Split::Train)?.key(), self.examples(Split::Validation)?.key()],
            "device": self.device_choice().kind(),
            "code": FIT_CODE,
        });
        let start = Instant::now();
        // A training that a cell computes for itself counts as the cell's own time.
        let folder = self.uncounted_stage(name, &inputs, |folder| {
            let fit = compute(folder)?;
            let record = Record {
                history: fit.history,
                best: fit.best,
                seconds: start.elapsed().as_secs_f64(),
            };
            write_json(&folder.join(RECORD), &record)
        })?;
        let path = folder.join(RECORD);
        let text = fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let record: Record = serde_json::from_slice(&text).map_err(|error| {
            Error::file(
                &path,
                format!("damaged ({error}); delete its folder and run again"),
            )
        })?;
        let spared = record.seconds - start.elapsed().as_secs_f64();
        self.account(|seconds| seconds.spared += spared.max(0.0));
        Ok((folder, record))
    }
}

/// The file of the network after an epoch, which is counted from 0.
fn after(epoch: usize) -> String {
    format!("epoch-{:02}.safetensors", epoch + 1)
}

/// Writes a network in the form used after its training.
fn write_finished(network: &Network, path: &Path) -> Result<()> {
    network.clone().fold_batch_norm().save(path)
}
