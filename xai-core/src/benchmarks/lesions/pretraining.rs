//! The pre-trained networks in the laboratory, and their corpora.

use std::path::Path;

use serde_json::json;

use super::fine_tuning::paper_plan;
use super::imaging::{Task, sex_task, shapes_task};
use super::making::{Defect, Defects};
use super::scans::with_data;
use super::subjects::{Portion, Watched, subjects};
use super::variants::Lesions;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::key::FIT_CODE;
use crate::network::{Network, VggConfig};
use crate::sweep::context::Lab;
use crate::sweep::declare::Level;
use crate::training::{
    CheckpointRule, Decay, Examples, Optimizer, TrainingPlan, calibrate, fit_watched,
    insert_batch_norm,
};

/// The corpus on which a network is pre-trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corpus {
    /// Out of domain, as in the paper: photographs of 1000 kinds of things. It is available if the
    /// run has the weights of a VGG-16 (`--weights`). The network is then that VGG-16 at every
    /// scale.
    ImageNet,
    /// Out of domain: the network recognises which of eight shapes is drawn on a noise texture. It
    /// needs no download. It takes the place of ImageNet if no weights are given, but it is not
    /// ImageNet.
    Shapes,
    /// Within the domain: the network predicts the sex of subjects from their MR slices, together
    /// with the quarter of the head that a slice comes from. With two classes alone, all features
    /// of a network this narrow carry the same information ("neural collapse", Papyan et al. 2020).
    /// No fine-tuning of the last blocks recovers from that in the few steps of the desk scale.
    Mri,
}

impl Level for Corpus {
    const LEVELS: &'static [Self] = &[Self::ImageNet, Self::Shapes, Self::Mri];

    fn name(&self) -> &'static str {
        match self {
            Self::ImageNet => "imagenet",
            Self::Shapes => "shapes",
            Self::Mri => "mri",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::ImageNet => "ImageNet",
            Self::Shapes => "Drawn shapes",
            Self::Mri => "MR slices",
        }
    }
}

/// The number of images used to set the batch-norm statistics of a pre-trained network to the
/// benchmark.
const CALIBRATION_IMAGES: usize = 256;

impl Lab<Lesions> {
    /// The network after its pre-training on `corpus`. It is computed once and then read from its
    /// stage.
    ///
    /// It is trained with batch norm, whose statistics are then set to those of the benchmark's
    /// training images, without their classes. (The paper's network has no batch norm. A network
    /// trained from random weights in the time available here needs it.) The result still has the
    /// classes of its corpus and its batch norm. [`Lab::fine_tune`] replaces the former and folds
    /// the latter after its training.
    ///
    /// [`Corpus::ImageNet`] returns the given weights. Both corpora are fine-tuned in the same way. With
    /// [`Settings::batch_norm`](super::Settings::batch_norm), the given network gets a batch norm that
    /// [does not change its function](insert_batch_norm). Without it, that of the other corpora is folded here.
    ///
    /// # Errors
    /// If the stage cannot be written or read; for [`Corpus::ImageNet`], if no weights were given.
    pub fn pretrained(&self, corpus: Corpus) -> Result<Network> {
        if corpus == Corpus::ImageNet {
            return self.given_network();
        }
        let settings = self.settings();
        // Only what a pre-training depends on. It includes the training images, which set the
        // batch-norm statistics.
        let inputs = json!({
            "corpus": corpus.name(),
            "network": settings.network,
            "images": settings.pretraining_images,
            "size": settings.pretraining_size,
            "epochs": settings.pretraining_epochs,
            "rate": pretraining_rate(&settings.network),
            "calibration": [settings.training_subjects, settings.slices as u64, settings.image_size as u64],
            "device": self.device_choice().kind(),
            "code": FIT_CODE,
        });
        let subjects = subjects(self.benchmark(), self.context())?;
        let scans = self.benchmark().scans.as_deref();
        let mut inputs = with_data(inputs, scans, &subjects.left_out);
        let defects = self.defects().of_training_images();
        if defects != Defects::NONE {
            inputs["defects"] = json!(defects);
        }
        let name = format!("pretraining-{}", corpus.name());
        let folder = self.stage(&name, &inputs, |folder| self.pretrain(corpus, folder))?;
        let network = Network::load(&folder.join(NETWORK), self.device())?;
        Ok(if settings.batch_norm {
            network
        } else {
            network.fold_batch_norm()
        })
    }

    /// The network with the weights given by `--weights`.
    ///
    /// # Errors
    /// If none were given, or if the file can no longer be read.
    fn given_network(&self) -> Result<Network> {
        let weights = self.benchmark().weights.as_ref().ok_or_else(|| {
            Error::invalid(
                "the corpus `imagenet` needs weights of a VGG-16: give a file with --weights, or pre-train on `shapes`",
            )
        })?;
        let load = || weights.network(self.settings(), self.device());
        let network = if self.settings().batch_norm {
            let images = self.examples(Split::Train)?;
            self.once(&format!("given weights, {}", images.key()), || {
                let network = load()?;
                let images = images.first(CALIBRATION_IMAGES, &network);
                insert_batch_norm(network, images)
            })?
        } else {
            self.once("given weights", load)?
        };
        Ok(Network::clone(&network))
    }

    fn pretrain(&self, corpus: Corpus, folder: &Path) -> Result<()> {
        let settings = self.settings();
        let [train, held_out] = self.tasks(corpus)?;
        let examples = |task: Task| -> Result<Examples> {
            let dataset = Dataset::grey(task.images, task.class)?;
            Ok(Examples::of(&dataset, self.device()))
        };
        let start = self.before_pretraining(train.classes);
        let plan = TrainingPlan {
            epochs: settings.pretraining_epochs,
            decay: Some(Decay {
                every: (settings.pretraining_epochs * 3 / 4).max(1),
                factor: 0.1,
            }),
            checkpoint: CheckpointRule::BestAccuracy,
            ..paper_plan(Optimizer::Adam(pretraining_rate(&settings.network)))
        };
        let [train, held_out] = [examples(train)?, examples(held_out)?];
        let label = format!("pre-training on {}", corpus.name());
        let bar = self.progress(plan.steps(train.len()), &label);
        let fitted = fit_watched(
            &start,
            0,
            [&train, &held_out],
            &plan,
            0,
            |epoch| bar.step(epoch, plan.epochs),
            |_, _| Ok(()),
        )?;
        drop(bar);
        let mut network = fitted.network;
        let images = self.examples(Split::Train)?;
        let images = images.first(CALIBRATION_IMAGES, &network);
        calibrate(&mut network, images);
        network.save(&folder.join(NETWORK))?;
        write_json(&folder.join("history.json"), &fitted.history)
    }

    /// The network with which the pre-training on a corpus of this many classes begins: initial weights, and batch norm.
    pub fn before_pretraining(&self, classes: usize) -> Network {
        let config = VggConfig {
            classes,
            dropout: 0.0,
            ..self.settings().network.clone()
        };
        config.init(true, 0, self.device())
    }

    /// The images of a pre-training and of its held-out check, for other programs.
    ///
    /// # Errors
    /// For [`Corpus::ImageNet`]; if scans cannot be read.
    pub fn pretraining_images(&self, corpus: Corpus) -> Result<[Dataset; 2]> {
        let [train, held_out] = self.tasks(corpus)?;
        let dataset = |task: Task| Dataset::grey(task.images, task.class);
        Ok([dataset(train)?, dataset(held_out)?])
    }

    /// The data of a pre-training and of its held-out check: other subjects, or other drawings.
    fn tasks(&self, corpus: Corpus) -> Result<[Task; 2]> {
        let settings = self.settings();
        let (images, size) = (settings.pretraining_images, settings.pretraining_size);
        let making = |steps| {
            let label = format!("making {} images to pre-train on", corpus.name());
            self.progress(steps, &label)
        };
        match corpus {
            Corpus::ImageNet => Err(Error::invalid("ImageNet is not here to be trained on")),
            Corpus::Shapes => {
                let bar = making(images + images / 8);
                let task = |images, seed| {
                    let task = shapes_task(images, size, seed)?;
                    bar.advance(images)?;
                    Ok(task)
                };
                Ok([task(images, 0)?, task(images / 8, 1)?])
            }
            Corpus::Mri => {
                let subjects = subjects(self.benchmark(), self.context())?;
                let [train, held_out] = &subjects.pretraining_parts;
                let source = Watched {
                    source: &*subjects.pretraining,
                    progress: making((held_out.subjects.end - train.subjects.start) as usize),
                };
                let task = |part: &Portion| {
                    let task = sex_task(&source, part.subjects.clone(), part.slices, size)?;
                    Ok(by_quarter(task, part.slices))
                };
                Ok([task(train)?, task(held_out)?])
            }
        }
    }

    /// A network with initial weights.
    pub fn untrained(&self, seed: u64) -> Network {
        self.evaluated(
            self.settings().network.init(false, seed, self.device()),
            seed,
        )
    }

    /// The network in the mode used by this laboratory for evaluation. Under D3, its dropout stays
    /// on.
    pub(super) fn evaluated(&self, network: Network, seed: u64) -> Network {
        let silences = self.settings().network.dropout > 0.0;
        if self.defects().has(Defect::DropoutStaysOn) && silences {
            network.with_active_dropout(seed)
        } else {
            network
        }
    }
}

/// The learning rate of a pre-training. Adam changes each weight by the same amount, however many inputs a
/// unit has, so it falls as the network gets wider.
fn pretraining_rate(network: &VggConfig) -> f64 {
    match network.width_divisor {
        1 => 0.000_5,
        _ => 0.003,
    }
}

/// The file of a network within its stage.
const NETWORK: &str = "network.safetensors";

/// Splits each class by the quarter of the head that a slice comes from. The slices of a subject
/// are in order of height, one from each of as many equal parts.
fn by_quarter(mut task: Task, slices: usize) -> Task {
    const QUARTERS: usize = 4;
    for (slice, class) in task.class.iter_mut().enumerate() {
        let quarter = slice % slices * QUARTERS / slices;
        *class = *class * QUARTERS as u8 + quarter as u8;
    }
    task.classes *= QUARTERS;
    task
}
