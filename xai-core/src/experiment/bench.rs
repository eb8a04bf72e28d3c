//! The paper's benchmark in the laboratory: its corpora, its data, its network and its test set.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::data::with_data;
use super::lab::Lab;
use super::run::{Fitted, Model};
use super::settings::FIT_CODE;
use super::store::write_json;
use super::subjects::Part;
use super::value::Level;
use crate::attribution::Images;
use crate::benchmark::{Protocol, Samples};
use crate::data::{Task, sex_task, shapes_task};
use crate::error::Result;
use crate::network::{Network, VggConfig};
use crate::training::{Depth, Examples, Optimizer, Schedule, argmax, calibrate, fit};

/// What a network is pre-trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, xai_macros::Level)]
pub enum Corpus {
    /// Out of domain: which of eight shapes is drawn on a noise texture. Needs no download, and
    /// stands where the paper has ImageNet without being it.
    Shapes,
    /// Within the domain: the sex of subjects from their MR slices, together with the
    /// quarter of the head that a slice is from. Two classes alone would leave a network this narrow
    /// with features that all say one thing ("neural collapse", Papyan et al. 2020), from which no
    /// fine-tuning of the last blocks recovers in the time that the desk scale has.
    Mri,
}

impl Level for Depth {
    const LEVELS: &'static [Self] = &[
        Self::Conv1,
        Self::Conv2,
        Self::Conv3,
        Self::Conv4,
        Self::All,
    ];

    fn name(&self) -> &'static str {
        match self {
            Self::Conv1 => "1conv",
            Self::Conv2 => "2conv",
            Self::Conv3 => "3conv",
            Self::Conv4 => "4conv",
            Self::All => "all",
        }
    }
}

/// Images by which the statistics of a pre-trained network are set to the benchmark's.
const CALIBRATION_IMAGES: usize = 256;

/// The three splits, made once a process. They share no subject.
struct Splits {
    train: Examples,
    validation: Examples,
    test: Samples,
    test_examples: Examples,
}

impl Splits {
    fn make(lab: &Lab) -> Result<Self> {
        let settings = lab.settings();
        let bar = lab.progress(3, "making images");
        let subjects = lab.subjects()?;
        let split = |part: &Part, seed: u64| {
            let samples = Protocol::corrected().samples(
                &*subjects.benchmark,
                part.subjects.clone(),
                part.slices,
                settings.image_size,
                seed,
            )?;
            bar.tick()?;
            Ok(samples)
        };
        let examples = |samples: &Samples| {
            Examples::of_images(samples.images.view(), &samples.class, lab.device())
        };
        let [train, validation, test] = &subjects.benchmark_parts;
        let train = split(train, 0)?;
        let validation = split(validation, 1)?;
        let test = split(test, 2)?;
        Ok(Self {
            train: examples(&train),
            validation: examples(&validation),
            test_examples: examples(&test),
            test,
        })
    }
}

impl Lab {
    fn splits(&self) -> Result<Arc<Splits>> {
        self.once(|| Splits::make(self))
    }

    /// The network after its pre-training on `corpus`; computed once, then read from its stage.
    ///
    /// Trained with batch norm, whose statistics are then set to those of the benchmark's training
    /// images, without their classes. It still has the classes of its corpus and its batch norm;
    /// [`Lab::fine_tune`] replaces the one and folds the other.
    ///
    /// # Errors
    /// If the stage cannot be written or read.
    pub fn pretrained(&self, corpus: Corpus) -> Result<Network> {
        let settings = self.settings();
        // What a pre-training depends on, and no more: the training images calibrate it.
        let inputs = json!({
            "corpus": corpus.name(),
            "network": settings.network,
            "images": settings.pretraining_images,
            "size": settings.pretraining_size,
            "epochs": settings.pretraining_epochs,
            "calibration": [settings.training_subjects, settings.slices as u64, settings.image_size as u64],
            "device": self.device_choice().kind(),
            "code": FIT_CODE,
        });
        let inputs = with_data(inputs, self.data());
        let name = format!("pretraining-{}", corpus.name());
        let folder = self.stage(&name, &inputs, |folder| self.pretrain(corpus, folder))?;
        Network::load(&folder.join(NETWORK), self.device())
    }

    fn pretrain(&self, corpus: Corpus, folder: &Path) -> Result<()> {
        let settings = self.settings();
        let [train, held_out] = self.tasks(corpus)?;
        let examples =
            |task: &Task| Examples::of_images(task.images.view(), &task.class, self.device());
        let config = VggConfig {
            classes: train.classes,
            dropout: 0.0,
            ..settings.network.clone()
        };
        let schedule = Schedule {
            epochs: settings.pretraining_epochs,
            decay_every: (settings.pretraining_epochs * 3 / 4).max(1),
            largest_gap: 1.0,
            ..Schedule::paper(Optimizer::Adam(0.003))
        };
        let bar = self.progress(
            schedule.epochs,
            &format!("pre-training on {}", corpus.name()),
        );
        let fitted = fit(
            &config.init(true, 0, self.device()),
            0,
            &examples(&train),
            &examples(&held_out),
            &schedule,
            0,
            |_| bar.tick(),
        )?;
        let mut network = fitted.network;
        calibrate(&mut network, self.splits()?.train.first(CALIBRATION_IMAGES));
        network.save(&folder.join(NETWORK))?;
        write_json(&folder.join("history.json"), &fitted.history)
    }

    /// What a pre-training is trained on, and what it is checked on: other subjects, other drawings.
    fn tasks(&self, corpus: Corpus) -> Result<[Task; 2]> {
        let settings = self.settings();
        let (images, size) = (settings.pretraining_images, settings.pretraining_size);
        match corpus {
            Corpus::Shapes => Ok([
                shapes_task(images, size, 0)?,
                shapes_task(images / 8, size, 1)?,
            ]),
            Corpus::Mri => {
                let subjects = self.subjects()?;
                let task = |part: &Part| {
                    let task = sex_task(
                        &*subjects.pretraining,
                        part.subjects.clone(),
                        part.slices,
                        size,
                    )?;
                    Ok(by_quarter(task, part.slices))
                };
                let [train, held_out] = &subjects.pretraining_parts;
                Ok([task(train)?, task(held_out)?])
            }
        }
    }

    /// Trains `start` from `depth` on to tell regular from irregular lesions, with a new last layer.
    ///
    /// Schedule and checkpoints are the paper's; the batch norm of the layers that are
    /// trained is folded into them at the end, so that the result is the paper's plain VGG.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted); a loss that is not finite.
    pub fn fine_tune(
        &self,
        start: Network,
        depth: Depth,
        optimizer: impl Into<Optimizer>,
        seed: u64,
    ) -> Result<Fitted<Network>> {
        let settings = self.settings();
        let mut network = start;
        let fresh = settings.network.init(false, seed, self.device());
        if let (Some(last), Some(fresh)) = (network.layers.last_mut(), fresh.layers.last()) {
            *last = fresh.clone();
        }
        network.set_dropout(settings.network.dropout);
        let schedule = Schedule {
            epochs: settings.epochs,
            batch: settings.batch,
            ..Schedule::paper(optimizer)
        };
        let splits = self.splits()?;
        let bar = self.progress(schedule.epochs, &format!("fine-tuning {}", depth.name()));
        let fitted = fit(
            &network,
            depth.first_layer(&network),
            &splits.train,
            &splits.validation,
            &schedule,
            seed,
            |_| bar.tick(),
        )?;
        Ok(Fitted {
            model: fitted.network.fold_batch_norm(),
            validation: fitted.history[fitted.best].validation,
            history: fitted.history,
        })
    }

    /// A network as it is before any training.
    pub fn untrained(&self, seed: u64) -> Network {
        self.settings().network.init(false, seed, self.device())
    }

    /// The images that no training and no selection has seen.
    pub fn test(&self) -> TestSet<'_> {
        TestSet { lab: self }
    }
}

/// The file of a network within its stage.
const NETWORK: &str = "network.safetensors";

/// Splits each class by the quarter of the head that a slice is from; the slices of a subject are
/// in order of height, one from each of as many equal parts.
fn by_quarter(mut task: Task, slices: usize) -> Task {
    const QUARTERS: usize = 4;
    for (slice, class) in task.class.iter_mut().enumerate() {
        let quarter = slice % slices * QUARTERS / slices;
        *class = *class * QUARTERS as u8 + quarter as u8;
    }
    task.classes *= QUARTERS;
    task
}

/// The test images, which become known as the sweep goes on.
pub struct TestSet<'a> {
    lab: &'a Lab,
}

impl TestSet<'_> {
    /// The images that every winner of the selection classifies correctly, with their truth: the
    /// only ones on which explanations can be compared. At scales that explain fewer images than
    /// these, evenly spaced ones.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet.
    pub fn classified_correctly_by_all(&self) -> Result<Images> {
        let agreed = self.lab.agreed()?;
        let count = agreed.len().min(self.lab.settings().explained);
        let index: Vec<u32> = (0..count)
            .map(|at| agreed[at * agreed.len() / count])
            .collect();
        let which: Vec<usize> = index.iter().map(|&at| at as usize).collect();
        let samples = self.lab.splits()?.test.subset(&which);
        let truth = samples.truth.mapv(|truth| truth > 0.0);
        Ok(Images::grey(samples.images, samples.class)
            .with_truth(truth)
            .with_index(index))
    }
}

impl Model for Network {
    fn save(&self, path: &Path) -> Result<()> {
        self.save(path)
    }

    fn load(path: &Path, lab: &Lab) -> Result<Self> {
        Network::load(path, lab.device())
    }

    fn predict(&self, lab: &Lab) -> Result<Vec<u8>> {
        let logits = lab.splits()?.test_examples.logits(self, "test");
        Ok(logits.iter().map(|logits| argmax(logits)).collect())
    }

    fn classes(lab: &Lab) -> Result<Vec<u8>> {
        Ok(lab.splits()?.test.class.clone())
    }
}
