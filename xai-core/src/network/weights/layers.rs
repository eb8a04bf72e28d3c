//! The layers of a network that have parameters.

use std::collections::BTreeSet;
use std::fmt;

use crate::network::{Layer, Network};

/// The kind of a layer with parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Convolution,
    Linear,
    Normalisation,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution => "convolution",
            Self::Linear => "linear",
            Self::Normalisation => "batch normalisation",
        })
    }
}

/// A layer with parameters.
#[derive(Clone, Debug)]
pub struct Weighted<'a> {
    pub layer: &'a Layer,
    /// The layers between the one with parameters before it and itself, in the order of a forward pass.
    pub before: Vec<&'a Layer>,
}

/// The layers with parameters, in the order of a forward pass.
pub fn weighted(network: &Network) -> Vec<Weighted<'_>> {
    let mut found = Vec::new();
    let mut before = Vec::new();
    for (_, layer) in network.named_layers() {
        if kind(layer).is_some() {
            let before = std::mem::take(&mut before);
            found.push(Weighted { layer, before });
        } else {
            before.push(layer);
        }
    }
    found
}

/// For each of the [`weighted`] layers, those whose results it takes, through layers without parameters.
pub fn follows(network: &Network) -> Vec<BTreeSet<usize>> {
    fn walk(
        layers: &[Layer],
        mut last: BTreeSet<usize>,
        found: &mut Vec<BTreeSet<usize>>,
    ) -> BTreeSet<usize> {
        for layer in layers {
            if let Layer::Residual(block) = layer {
                let branch = walk(&block.branch, last.clone(), found);
                last = walk(&block.shortcut, last, found);
                last.extend(branch);
            } else if kind(layer).is_some() {
                let own = BTreeSet::from([found.len()]);
                found.push(std::mem::replace(&mut last, own));
            }
        }
        last
    }
    let mut found = Vec::new();
    walk(&network.layers, BTreeSet::new(), &mut found);
    found
}

/// The kind of a layer with parameters, and the shape of its weight.
pub fn kind(layer: &Layer) -> Option<(Kind, Vec<usize>)> {
    match layer {
        Layer::Conv2d(conv) => Some((Kind::Convolution, conv.weight.dims().to_vec())),
        Layer::Linear(linear) => Some((Kind::Linear, linear.weight.dims().to_vec())),
        Layer::BatchNorm2d(norm) => Some((Kind::Normalisation, norm.weight.dims().to_vec())),
        _ => None,
    }
}
