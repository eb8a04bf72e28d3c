//! The numbers of each scale. They are part of the keys.

use serde::Serialize;

use crate::network::VggConfig;
use crate::sweep::declare::Scale;
use crate::training::CheckpointRule;

/// The sizes of a scale.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Height and width of the images, in pixels.
    pub image_size: usize,
    /// The network that is trained on lesions, with two classes.
    pub network: VggConfig,
    /// Slices per subject.
    pub slices: usize,
    /// Subjects for training.
    pub training_subjects: u64,
    /// Subjects for selecting checkpoints and learning rates.
    pub validation_subjects: u64,
    /// Subjects for testing and explaining.
    pub test_subjects: u64,
    /// The maximum number of test images that are explained.
    pub explained: usize,
    /// The maximum number of passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Which epoch's network fine-tuning keeps.
    ///
    /// The paper compares the validation accuracy, measured after a pass, with the mean training accuracy during
    /// that pass. In a training that takes many passes, the two differ little. But a pass of a short training may
    /// begin at chance and end at 0.9. The paper's rule then keeps an earlier pass, whose network is at chance.
    /// Below the paper's scale, the epoch with the best validation accuracy is therefore kept.
    pub checkpoint: CheckpointRule,
    /// Whether networks are fine-tuned with batch norm, which is folded into their layers at the end. The paper's
    /// networks have none. In the few steps of the smaller scales, a network whose batch norm was folded before
    /// did not leave chance.
    pub batch_norm: bool,
    /// Images of each pre-training.
    pub pretraining_images: usize,
    /// Their height and width. Below the paper's scale, it is smaller than `image_size` to save time;
    /// convolutions accept any size.
    pub pretraining_size: usize,
    /// Passes over them.
    pub pretraining_epochs: usize,
}

impl Settings {
    /// The part of the settings on which a model depends.
    pub fn of_fit(&self) -> serde_json::Value {
        let mut settings = serde_json::json!(self);
        if let Some(settings) = settings.as_object_mut() {
            settings.shift_remove("explained");
        }
        settings
    }

    /// The part of the settings on which the images depend.
    pub fn of_images(&self) -> serde_json::Value {
        serde_json::json!({
            "image_size": self.image_size,
            "slices": self.slices,
            "training_subjects": self.training_subjects,
            "validation_subjects": self.validation_subjects,
            "test_subjects": self.test_subjects,
            "pretraining_images": self.pretraining_images,
        })
    }

    /// These settings with the paper's network, as in torchvision, for `--weights`. The settings of scale
    /// `night` have it already.
    #[must_use]
    pub fn with_full_network(self) -> Self {
        if self.network.width_divisor == 1 {
            return self;
        }
        Self {
            network: full_network(7),
            ..self
        }
    }

    /// The settings of a scale.
    ///
    /// `paper` has the published sizes as closely as 12 slices per subject allow: 2,508 images each
    /// for training and validation (published: 2,500), and 8,544 test images (published: 8,539).
    ///
    /// `night` has the paper's network and the images of the desk scale, about as many to train on as in the
    /// paper. Images of 96 x 96 pixels take a fifth of the time of the published ones. They leave 3 x 3
    /// features to be classified, which are not enlarged to 7 x 7 as in torchvision: most of the
    /// weights would only multiply copies. Two passes of 180 steps are few, so that there is time
    /// for several networks.
    pub fn at(scale: Scale) -> Self {
        if scale == Scale::Night {
            return Self {
                network: full_network(3),
                explained: 32,
                epochs: 2,
                pretraining_images: 4_800,
                pretraining_epochs: 4,
                ..Self::at(Scale::Desk)
            };
        }
        Self {
            image_size: scale.pick(64, 96, 224),
            network: VggConfig {
                width_divisor: scale.pick(16, 8, 1),
                pooled: scale.pick(2, 2, 7),
                dropout: scale.pick(0.0, 0.0, 0.5),
                classes: 2,
            },
            slices: 12,
            training_subjects: scale.pick(24, 240, 209),
            validation_subjects: scale.pick(8, 24, 209),
            test_subjects: scale.pick(12, 34, 712),
            explained: scale.pick(12, 64, usize::MAX),
            epochs: scale.pick(6, 3, 40),
            batch: scale.pick(16, 16, 32),
            checkpoint: scale.pick(
                CheckpointRule::BestAccuracy,
                CheckpointRule::BestAccuracy,
                CheckpointRule::BestAccuracyWithin { largest_gap: 0.05 },
            ),
            batch_norm: scale.pick(true, true, false),
            pretraining_images: scale.pick(480, 2_400, 25_000),
            pretraining_size: scale.pick(48, 64, 224),
            pretraining_epochs: scale.pick(6, 7, 20),
        }
    }
}

/// VGG-16 as in the paper, with `pooled` x `pooled` features before the classifier.
fn full_network(pooled: usize) -> VggConfig {
    VggConfig {
        width_divisor: 1,
        pooled,
        dropout: 0.5,
        classes: 2,
    }
}
