//! The degrees of fine-tuning.

use crate::network::{Layer, Network};
use crate::sweep::declare::Level;

/// How much of a network is trained: the last convolution blocks, and always the fully connected
/// layers. Layers that are not trained keep their pre-trained weights.
///
/// A block begins after the pooling of the block before. The public code begins at the first ReLU
/// after that, and so leaves the first convolution of each block frozen:
/// [D8](crate::benchmarks::lesions::making::Defect::FrozenFirstLayers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// The last convolution block.
    Conv1,
    /// The last two blocks.
    Conv2,
    /// The last three blocks.
    Conv3,
    /// The last four blocks.
    Conv4,
    /// All layers.
    All,
}

impl Depth {
    /// The first layer that the public code trains. Except for [`Depth::All`], it is the one after
    /// a block's first convolution.
    pub fn first_layer_as_published(self, network: &Network) -> usize {
        let first = self.first_layer(network);
        let relu = |layer: &Layer| matches!(layer, Layer::Relu);
        match self {
            Self::All => first,
            _ => first + network.layers[first..].iter().position(relu).unwrap_or(0),
        }
    }

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

impl Level for Depth {
    const LEVELS: &'static [Self] = &[
        Self::Conv1,
        Self::Conv2,
        Self::Conv3,
        Self::Conv4,
        Self::All,
    ];

    fn name(&self) -> &'static str {
        match self {
            Self::Conv1 => "1conv",
            Self::Conv2 => "2conv",
            Self::Conv3 => "3conv",
            Self::Conv4 => "4conv",
            Self::All => "all",
        }
    }
}
