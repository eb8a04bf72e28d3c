//! Fine-tuning: trains a pre-trained network to distinguish regular from irregular lesions.

use super::depth::Depth;
use super::making::Defect;
use super::variants::Lesions;
use crate::error::Result;
use crate::network::Network;
use crate::sweep::context::{Checkpoint, Fitted, Lab, Training};
use crate::sweep::declare::Level;
use crate::training::{CheckpointRule, Decay, Optimizer, StopRule, TrainingPlan};

/// How the paper fine-tunes (section 2.4):
///
/// - Batches have 32 images. The optimiser is gradient descent with a momentum of 0.5. The learning
///   rate is divided by 10 every 7 epochs. There are at most 40 epochs.
/// - The checkpoint is the epoch with the best validation accuracy. Only epochs whose training
///   accuracy differs from it by at most 0.05 are candidates.
/// - Training stops when three successive validation accuracies change by less than 0.005 and are
///   below the training accuracy.
pub fn paper_plan(optimizer: impl Into<Optimizer>) -> TrainingPlan {
    TrainingPlan {
        decay: Some(Decay {
            every: 7,
            factor: 0.1,
        }),
        checkpoint: CheckpointRule::BestAccuracyWithin { largest_gap: 0.05 },
        stop: StopRule::Settled {
            epochs: 3,
            change: 0.005,
        },
        ..TrainingPlan::new(optimizer, 40, 32)
    }
}

impl Lab<Lesions> {
    /// Trains `start` from `depth` on to distinguish regular from irregular lesions, with a new
    /// last layer.
    ///
    /// The training follows [`paper_plan`], with the epochs, the batch and the checkpoint rule of
    /// the [`Settings`](super::Settings). At the end, batch norm is folded into the layers before it,
    /// so that the result is a plain VGG like the paper's. Under D8, a degree begins after the first
    /// convolution of its block. Under D3, dropout stays on in validation and in the resulting
    /// network.
    ///
    /// If the same training is requested again, also by another experiment, it is read from its
    /// stage.
    ///
    /// # Errors
    /// As [`Lab::fit`].
    pub fn fine_tune(
        &self,
        start: Network,
        depth: Depth,
        optimizer: impl Into<Optimizer>,
        seed: u64,
    ) -> Result<Fitted<Network>> {
        self.fit(&self.fine_tuning(start, depth, optimizer.into(), seed))
    }

    /// The networks after each epoch of the training of [`fine_tune`](Self::fine_tune), including
    /// the one that it keeps.
    ///
    /// # Errors
    /// As [`Lab::fit`].
    pub fn fine_tune_epochs(
        &self,
        start: Network,
        depth: Depth,
        optimizer: impl Into<Optimizer>,
        seed: u64,
    ) -> Result<Vec<Checkpoint>> {
        self.fit_epochs(&self.fine_tuning(start, depth, optimizer.into(), seed))
    }

    /// The training: the network with its new last layer, and the plan.
    fn fine_tuning(
        &self,
        start: Network,
        depth: Depth,
        optimizer: Optimizer,
        seed: u64,
    ) -> Training {
        let settings = self.settings();
        let plan = TrainingPlan {
            epochs: settings.epochs,
            batch: settings.batch,
            checkpoint: settings.checkpoint,
            ..paper_plan(optimizer)
        };
        let first_layer = if self.defects().has(Defect::FrozenFirstLayers) {
            depth.first_layer_as_published(&start)
        } else {
            depth.first_layer(&start)
        };
        let mut network = start;
        let fresh = settings.network.init(false, seed, self.device());
        if let (Some(last), Some(fresh)) = (network.layers.last_mut(), fresh.layers.last()) {
            *last = fresh.clone();
        }
        network.set_dropout(settings.network.dropout);
        Training {
            network: self.evaluated(network, seed),
            first_layer,
            plan,
            seed,
            label: format!("fine-tuning {}", depth.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::sweep::declare::Scale;

    #[test]
    fn the_scale_of_the_paper_keeps_the_papers_epoch() {
        let paper = paper_plan(Optimizer::Adam(0.001));
        assert_eq!(Settings::at(Scale::Paper).checkpoint, paper.checkpoint);
        for scale in [Scale::Smoke, Scale::Desk, Scale::Night] {
            let rule = Settings::at(scale).checkpoint;
            assert_eq!(rule, CheckpointRule::BestAccuracy);
        }
    }
}
