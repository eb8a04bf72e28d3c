//! The benchmark and its variants.

use std::sync::Arc;

use super::making::{Defects, Protocol};
use super::scans::Scans;
use super::settings::Settings;
use super::weights::Weights;
use crate::dataset::Split;
use crate::sweep::context::Lab;

/// MR slices with artificial lesions of two classes, regular and irregular (Oliveira et al. 2024).
#[derive(Clone)]
pub struct Lesions {
    pub(super) settings: Arc<Settings>,
    pub(super) defects: Defects,
    pub(super) scans: Option<Arc<Scans>>,
    pub(super) weights: Option<Arc<Weights>>,
}

impl Lesions {
    /// The settings of the scale.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The defects of the public code that this benchmark repeats.
    pub fn defects(&self) -> Defects {
        self.defects
    }

    /// The same benchmark with some of the public code's defects.
    ///
    /// D1, D2, D6 and D7 change the images. D3 leaves dropout on after training. D8 moves the first
    /// layer that is fine-tuned. The others affect references and scores and change nothing here.
    /// Results computed with a defect are shared like all others.
    ///
    /// If the cells of an experiment differ in their defects, override
    /// [`Run::benchmark`](crate::sweep::context::Run::benchmark).
    #[must_use]
    pub fn with_defects(&self, defects: Defects) -> Self {
        Self {
            defects,
            ..self.clone()
        }
    }

    /// The same benchmark with a different dropout rate in fine-tuning. (The full VGG-16 has a rate
    /// of 0.5. The narrow networks of the scales smoke and desk have no dropout.)
    #[must_use]
    pub fn with_dropout(&self, rate: f64) -> Self {
        let mut settings = Settings::clone(&self.settings);
        settings.network.dropout = rate;
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// How the images of a split are made.
    pub(super) fn protocol(&self, which: Split) -> Protocol {
        let defects = match which {
            Split::Train | Split::Validation => self.defects.of_training_images(),
            Split::Test => self.defects.of_images(),
        };
        Protocol {
            defects,
            ..Protocol::corrected()
        }
    }
}

impl Lab<Lesions> {
    /// The settings of the scale.
    pub fn settings(&self) -> &Settings {
        self.benchmark().settings()
    }

    /// The defects of the public code that this laboratory repeats.
    pub fn defects(&self) -> Defects {
        self.benchmark().defects()
    }

    /// The same laboratory with some of the public code's defects; see [`Lesions::with_defects`].
    #[must_use]
    pub fn with_defects(&self, defects: Defects) -> Self {
        self.with_benchmark(self.benchmark().with_defects(defects))
    }
}
