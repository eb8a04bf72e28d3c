//! The masks of dropout, in training and where it stays on afterwards.

use burn::tensor::TensorData;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Layer, Network};
use crate::device::{Device, Tensor};
use crate::random;

/// `count` values of a mask: 0 with probability `rate`, else 1 / (1 - rate), which keeps the mean.
pub(crate) fn mask(rate: f64, count: usize, rng: &mut impl Rng) -> Vec<f32> {
    let keep = 1.0 - rate;
    let value = |kept| if kept { 1.0 / keep as f32 } else { 0.0 };
    (0..count).map(|_| value(rng.random_bool(keep))).collect()
}

/// The masks of a pass through a network whose dropout is [active](Network::with_active_dropout).
///
/// Each row of the pass has a stream of its own, from which its masks are drawn layer after layer. So a
/// row's masks depend on its name alone, not on the batch that it is in.
#[derive(Debug)]
pub struct Masks {
    rows: Vec<ChaCha8Rng>,
}

impl Masks {
    /// The mask of the next dropout, for its input of the shape `[rows, c, h, w]`.
    pub(crate) fn next(&mut self, rate: f64, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let [rows, c, h, w] = shape;
        assert_eq!(rows, self.rows.len(), "one stream of masks a row");
        let rows = self.rows.iter_mut();
        let values: Vec<f32> = rows.flat_map(|rng| mask(rate, c * h * w, rng)).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

impl Network {
    /// The network with dropout that stays on after training: the public code's
    /// [D3](crate::benchmarks::lesions::making::Defect::D3), which never leaves training mode.
    ///
    /// Every forward pass, those of explanations included, then multiplies by fresh masks, a row of a pass each
    /// its own; they follow from `seed` and from what the row is, so that results do not depend on batches or
    /// threads. Batch normalisation stays in evaluation mode (the paper's network has none). The flag is saved
    /// with the weights: without it a file would predict something else than what was evaluated.
    #[must_use]
    pub fn with_active_dropout(self, seed: u64) -> Self {
        Self {
            active_dropout: Some(seed),
            ..self
        }
    }

    /// The network in evaluation mode, as it is unless [`with_active_dropout`](Self::with_active_dropout)
    /// says otherwise.
    #[must_use]
    pub fn without_active_dropout(self) -> Self {
        Self {
            active_dropout: None,
            ..self
        }
    }

    /// The seed of dropout that stays on; `None` in evaluation mode.
    pub fn active_dropout(&self) -> Option<u64> {
        self.active_dropout
    }

    /// The masks of a pass of `rows` rows, which are called by `name`: the same name, the same masks. `None` in
    /// evaluation mode.
    pub fn masks(&self, rows: usize, name: impl Fn(usize) -> String) -> Option<Masks> {
        let seed = self.active_dropout?;
        let stream = |row| random::stream(seed, &format!("dropout/{}", name(row)));
        let rows = (0..rows).map(stream).collect();
        Some(Masks { rows })
    }

    /// How many layers from the first on are one affine map, the same for every row of a pass.
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
