//! Dropout that stays on after training.

use super::layers::{Layer, Network};
use super::masks::Masks;
use crate::random;

/// The entry with the seed of active dropout in the metadata of a network's file.
pub(super) const ACTIVE_DROPOUT: &str = "active_dropout";

impl Network {
    /// The network with dropout that stays on after training: the public code's
    /// [D3](crate::benchmarks::lesions::making::Defect::DropoutStaysOn), which never leaves training mode.
    ///
    /// Every forward pass, including those of explanations, multiplies by new masks. Each row of a
    /// pass has its own masks. They follow from `seed` and from the name of the row, so results do
    /// not depend on batches or threads. Batch normalisation stays in evaluation mode (the paper's
    /// network has none). The flag is saved with the weights, because without it a loaded file
    /// would not predict what was evaluated.
    #[must_use]
    pub fn with_active_dropout(self, seed: u64) -> Self {
        Self {
            active_dropout: Some(seed),
            ..self
        }
    }

    /// The network in evaluation mode. This is the default unless
    /// [`with_active_dropout`](Self::with_active_dropout) was called.
    #[must_use]
    pub fn without_active_dropout(self) -> Self {
        Self {
            active_dropout: None,
            ..self
        }
    }

    /// The seed of dropout that stays on. `None` in evaluation mode.
    pub fn active_dropout(&self) -> Option<u64> {
        self.active_dropout
    }

    /// The masks of a pass of `rows` rows, which are named by `name`. The same name gives the same
    /// masks. `None` in evaluation mode.
    pub fn masks(&self, rows: usize, name: impl Fn(usize) -> String) -> Option<Masks> {
        let seed = self.active_dropout?;
        let stream = |row| random::stream(seed, &format!("dropout/{}", name(row)));
        let rows = (0..rows).map(stream).collect();
        Some(Masks::new(rows))
    }

    /// The number of layers at the beginning that form one affine map, the same for every row of a
    /// pass.
    pub fn affine_beginning(&self) -> usize {
        let same = |layer: &&Layer| {
            layer.is_affine() && !(self.active_dropout.is_some() && layer.has_dropout())
        };
        self.layers.iter().take_while(same).count()
    }
}

impl Layer {
    fn has_dropout(&self) -> bool {
        match self {
            Self::Dropout(_) => true,
            Self::Residual(block) => {
                let mut layers = block.branch.iter().chain(&block.shortcut);
                layers.any(Self::has_dropout)
            }
            _ => false,
        }
    }
}
