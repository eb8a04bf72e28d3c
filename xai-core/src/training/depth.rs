//! The degrees of fine-tuning.

use crate::network::{Layer, Network};

/// How much of a network is trained: the last convolution blocks, always with the fully
/// connected layers. What is not trained keeps the weights of the pre-training.
///
/// A block begins after the pooling of the one before. (The public code begins one ReLU later and
/// so leaves each block's first convolution frozen: defect D8.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// The last convolution block.
    Conv1,
    /// The last two.
    Conv2,
    /// The last three.
    Conv3,
    /// The last four.
    Conv4,
    /// All layers.
    All,
}

impl Depth {
    /// The first layer that is trained.
    pub fn first_layer(self, network: &Network) -> usize {
        let blocks = match self {
            Self::Conv1 => 1,
            Self::Conv2 => 2,
            Self::Conv3 => 3,
            Self::Conv4 => 4,
            Self::All => return 0,
        };
        let pools: Vec<usize> = (0..network.layers.len())
            .filter(|&at| matches!(network.layers[at], Layer::MaxPool2d(_)))
            .collect();
        match pools.len().checked_sub(blocks + 1) {
            Some(before) => pools[before] + 1,
            None => 0,
        }
    }
}
