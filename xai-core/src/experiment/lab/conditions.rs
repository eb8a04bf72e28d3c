//! The conditions that a laboratory works under: defects, dropout, what the run was given, what its winners agree on.

use std::sync::Arc;

use super::Lab;
use crate::attribution::Gallery;
use crate::benchmark::Defects;
use crate::experiment::data::Data;
use crate::experiment::settings::Settings;
use crate::experiment::sweep::Agreement;
use crate::experiment::weights::Weights;

impl Lab {
    /// The laboratory after the barrier, where it is known which winners are right about which image.
    pub(in crate::experiment) fn with_agreement(&self, agreement: Arc<Agreement>) -> Self {
        Self {
            agreement: Some(agreement),
            ..self.clone()
        }
    }

    /// The same laboratory under some of the public code's defects.
    ///
    /// D1, D2, D6 and D7 change the images, D3 leaves dropout on after training and D8 moves the first layer that is
    /// fine-tuned. The others are of baselines and scores and change nothing here. What is computed under a
    /// defect is shared by all who ask for the same, as everything else is.
    ///
    /// An experiment whose cells differ in their defects gives each its own by [`Run::lab`](crate::experiment::Run::lab).
    #[must_use]
    pub fn with_defects(&self, defects: Defects) -> Self {
        Self {
            defects,
            ..self.clone()
        }
    }

    /// The defects of the public code that this laboratory repeats.
    pub fn defects(&self) -> Defects {
        self.defects
    }

    /// The same laboratory with another share of features that dropout silences in fine-tuning. (Below the paper's
    /// scale networks are so narrow that they have none.)
    #[must_use]
    pub fn with_dropout(&self, rate: f64) -> Self {
        let mut settings = Settings::clone(&self.settings);
        settings.network.dropout = rate;
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The laboratory whose test images put some of their heat maps into a gallery.
    pub(in crate::experiment) fn with_gallery(&self, gallery: &Gallery) -> Self {
        Self {
            gallery: Some(gallery.clone()),
            ..self.clone()
        }
    }

    /// Where the heat maps of some test images are kept.
    pub(in crate::experiment) fn gallery(&self) -> Option<Gallery> {
        self.gallery.clone()
    }

    /// The laboratory of a run on real scans.
    pub(in crate::experiment) fn with_data(self, data: Option<Arc<Data>>) -> Self {
        Self { data, ..self }
    }

    /// The laboratory of a run that was given weights.
    pub(in crate::experiment) fn with_weights(self, weights: Option<Arc<Weights>>) -> Self {
        match weights {
            Some(_) => Self {
                settings: Arc::new(Settings::clone(&self.settings).with_full_network()),
                weights,
                ..self
            },
            None => self,
        }
    }

    /// The weights that the run was given.
    pub(in crate::experiment) fn weights(&self) -> Option<&Weights> {
        self.weights.as_deref()
    }

    /// The scans that the run was given; `None` for synthetic subjects.
    pub(in crate::experiment) fn data(&self) -> Option<&Data> {
        self.data.as_deref()
    }
}
