//! Fine-tuning: how a pre-trained network learns to distinguish regular from irregular lesions.

use super::depth::Depth;
use super::making::Defect;
use super::variants::Lesions;
use crate::error::Result;
use crate::network::Network;
use crate::sweep::context::{Checkpoint, Fitted, Lab, Training};
use crate::sweep::declare::Level;
use crate::training::{Optimizer, Schedule};

impl Lab<Lesions> {
    /// Trains `start` from `depth` on to distinguish regular from irregular lesions, with a new last layer.
    ///
    /// Schedule and checkpoints are the paper's; the batch norm of the layers that are
    /// trained is folded into them at the end, so that the result is the paper's plain VGG. Under D8 a degree begins
    /// after its first convolution; under D3 dropout stays on in validation and in the network that comes out.
    ///
    /// Whoever asks for the same training again, in another experiment too, gets it from its stage.
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

    /// The networks along the training of [`fine_tune`](Self::fine_tune), one after each epoch, the kept one among them.
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

    /// Lays out a training.
    fn fine_tuning(
        &self,
        start: Network,
        depth: Depth,
        optimizer: Optimizer,
        seed: u64,
    ) -> Training {
        let settings = self.settings();
        let schedule = Schedule {
            epochs: settings.epochs,
            batch: settings.batch,
            ..Schedule::paper(optimizer)
        };
        let first_layer = match self.defects().has(Defect::D8) {
            true => depth.first_layer_as_published(&start),
            false => depth.first_layer(&start),
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
            schedule,
            seed,
            label: format!("fine-tuning {}", depth.name()),
        }
    }
}
