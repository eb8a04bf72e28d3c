//! What each scale means in numbers, and the versions of the code. All of it is part of the keys.

use serde::Serialize;

use crate::network::VggConfig;
use crate::sweep::declare::Scale;

/// The sizes that a scale stands for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Height and width of the images, in pixels.
    pub image_size: usize,
    /// The network that is trained on lesions: two classes.
    pub network: VggConfig,
    /// Slices of each subject.
    pub slices: usize,
    /// Subjects whose slices are trained on.
    pub training_subjects: u64,
    /// Subjects whose slices choose checkpoints and learning rates.
    pub validation_subjects: u64,
    /// Subjects whose slices are tested and explained.
    pub test_subjects: u64,
    /// Test images that are explained at most.
    pub explained: usize,
    /// Passes over the training images at most.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Images of each pre-training.
    pub pretraining_images: usize,
    /// Their height and width. Less than `image_size` where time is short: convolutions do not mind.
    pub pretraining_size: usize,
    /// Passes over them.
    pub pretraining_epochs: usize,
}

impl Settings {
    /// What of the settings a model depends on.
    pub fn of_fit(&self) -> serde_json::Value {
        let mut settings = serde_json::json!(self);
        if let Some(settings) = settings.as_object_mut() {
            settings.shift_remove("explained");
        }
        settings
    }

    /// What of the settings the images depend on.
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

    /// These settings with the paper's network, as torchvision has it: what `--weights` are for.
    #[must_use]
    pub fn with_full_network(self) -> Self {
        Self {
            network: VggConfig {
                width_divisor: 1,
                pooled: 7,
                dropout: 0.5,
                classes: 2,
            },
            ..self
        }
    }

    /// The settings of a scale.
    ///
    /// `paper` has the published sizes (2,500 training and validation images, 8,539 test images).
    pub fn at(scale: Scale) -> Self {
        Self {
            image_size: scale.pick(64, 96, 224),
            network: VggConfig {
                width_divisor: scale.pick(16, 8, 1),
                pooled: scale.pick(2, 2, 7),
                dropout: scale.pick(0.0, 0.0, 0.5),
                classes: 2,
            },
            slices: 12,
            training_subjects: scale.pick(32, 240, 209),
            validation_subjects: scale.pick(8, 24, 209),
            test_subjects: scale.pick(24, 34, 712),
            explained: scale.pick(12, 64, usize::MAX),
            epochs: scale.pick(6, 3, 40),
            batch: scale.pick(16, 16, 32),
            pretraining_images: scale.pick(960, 2_400, 25_000),
            pretraining_size: scale.pick(48, 64, 224),
            pretraining_epochs: scale.pick(6, 7, 20),
        }
    }
}
