//! Fine-tuning in the laboratory. Each training is computed once for all experiments that ask for the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::bench::NETWORK;
use super::data::with_data;
use super::lab::Lab;
use super::run::Fitted;
use super::settings::FIT_CODE;
use super::store::write_json;
use crate::benchmark::Defect;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::training::{Depth, Epoch, Fit, Optimizer, Schedule, fit};

/// A network on its way through a training.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The network after the epoch, without batch norm.
    pub model: Network,
    /// What the epoch came to.
    pub epoch: Epoch,
}

/// A training: what is trained, and how.
struct Training {
    network: Network,
    /// The first layer that is trained.
    first: usize,
    schedule: Schedule,
    seed: u64,
    /// What is shown while it goes on.
    label: String,
    /// All that its images depend on.
    images: Json,
    /// All that its result depends on.
    inputs: Json,
}

/// How a training went, beside the networks in its stage.
#[derive(Serialize, Deserialize)]
struct Record {
    history: Vec<Epoch>,
    /// The epoch that was kept.
    best: usize,
    seconds: f64,
}

const RECORD: &str = "training.json";

impl Lab {
    /// Trains `start` from `depth` on to tell regular from irregular lesions, with a new last layer.
    ///
    /// Schedule and checkpoints are the paper's; the batch norm of the layers that are
    /// trained is folded into them at the end, so that the result is the paper's plain VGG. Under D8 a degree begins
    /// after its first convolution; under D3 dropout stays on in validation and in the network that comes out.
    ///
    /// Whoever asks for the same training again, in another experiment too, gets it from its stage.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted); a loss that is not finite; if the stage cannot be written.
    pub fn fine_tune(
        &self,
        start: Network,
        depth: Depth,
        optimizer: impl Into<Optimizer>,
        seed: u64,
    ) -> Result<Fitted<Network>> {
        let training = self.training(start, depth, optimizer.into(), seed)?;
        let compute = |folder: &Path| {
            let fit = self.train(&training, |_, _| Ok(()))?;
            finished(&fit.network, &folder.join(NETWORK))?;
            Ok(fit)
        };
        let (folder, record) = self.trained("fine-tuning", &training, compute)?;
        Ok(Fitted {
            model: Network::load(&folder.join(NETWORK), self.device())?,
            validation: record.history[record.best].validation,
            history: record.history,
        })
    }

    /// The networks along the training of [`fine_tune`](Self::fine_tune), one after each epoch, the kept one among them.
    ///
    /// # Errors
    /// As [`fine_tune`](Self::fine_tune).
    pub fn fine_tune_epochs(
        &self,
        start: Network,
        depth: Depth,
        optimizer: impl Into<Optimizer>,
        seed: u64,
    ) -> Result<Vec<Checkpoint>> {
        let training = self.training(start, depth, optimizer.into(), seed)?;
        let compute = |folder: &Path| {
            let mut epoch = 0;
            self.train(&training, |_, end| {
                let network = training.network.with_end(training.first, end);
                finished(&network, &folder.join(after(epoch)))?;
                epoch += 1;
                Ok(())
            })
        };
        let (folder, record) = self.trained("fine-tuning-epochs", &training, compute)?;
        let checkpoint = |(epoch, of): (usize, Epoch)| {
            Ok(Checkpoint {
                model: Network::load(&folder.join(after(epoch)), self.device())?,
                epoch: of,
            })
        };
        record
            .history
            .into_iter()
            .enumerate()
            .map(checkpoint)
            .collect()
    }

    /// Lays out a training.
    fn training(
        &self,
        start: Network,
        depth: Depth,
        optimizer: Optimizer,
        seed: u64,
    ) -> Result<Training> {
        let settings = self.settings();
        let schedule = Schedule {
            epochs: settings.epochs,
            batch: settings.batch,
            ..Schedule::paper(optimizer)
        };
        let first = match self.defects().has(Defect::D8) {
            true => depth.first_layer_as_published(&start),
            false => depth.first_layer(&start),
        };
        let [train, validation, _] = &self.subjects()?.benchmark_parts;
        let mut network = start;
        let images = json!({
            "size": settings.image_size,
            "subjects": format!("{train:?} {validation:?}"),
            "defects": self.defects().of_training_images(),
        });
        let images = with_data(images, self.data());
        let inputs = json!({
            "start": network.fingerprint(),
            "first_layer": first,
            "schedule": schedule,
            "seed": seed,
            "network": settings.network,
            "dropout_stays_on": self.defects().has(Defect::D3) && settings.network.dropout > 0.0,
            "images": images,
            "device": self.device_choice().kind(),
            "code": FIT_CODE,
        });
        let fresh = settings.network.init(false, seed, self.device());
        if let (Some(last), Some(fresh)) = (network.layers.last_mut(), fresh.layers.last()) {
            *last = fresh.clone();
        }
        network.set_dropout(settings.network.dropout);
        Ok(Training {
            network: self.evaluated(network, seed),
            first,
            schedule,
            seed,
            label: format!("fine-tuning {}", super::Level::name(&depth)),
            images,
            inputs,
        })
    }

    fn train(
        &self,
        training: &Training,
        mut each_epoch: impl FnMut(&Epoch, &Network) -> Result<()>,
    ) -> Result<Fit> {
        let [train, validation] =
            self.frozen(&training.network, training.first, &training.images)?;
        let bar = self.progress(training.schedule.epochs, &training.label);
        fit(
            &training.network,
            training.first,
            &train,
            &validation,
            &training.schedule,
            training.seed,
            |epoch, end| {
                each_epoch(epoch, end)?;
                bar.tick()
            },
        )
    }

    /// The stage of a training: `compute` fills its folder with networks, and its record is written beside them.
    fn trained(
        &self,
        name: &str,
        training: &Training,
        compute: impl FnOnce(&Path) -> Result<Fit>,
    ) -> Result<(PathBuf, Record)> {
        let start = Instant::now();
        // Not `Lab::stage`: what a cell trains for itself is its own time, not that of what cells share.
        let folder = self.store().stage(name, &training.inputs, |folder| {
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

/// The file of the network after an epoch, counted from 0.
fn after(epoch: usize) -> String {
    format!("epoch-{:02}.safetensors", epoch + 1)
}

/// Writes a network as it is used after its training.
fn finished(network: &Network, path: &Path) -> Result<()> {
    network.clone().fold_batch_norm().save(path)
}
