//! Weights of another task for a network that will be fine-tuned.

use super::fill::{align, fill, other_order};
use super::layers::{Kind, Weighted, weighted};
use super::names::{self, Dict, Matched};
use super::onnx::Operation;
use crate::network::{Layer, Network};

/// Which part of a network was loaded from a file. The rest keeps its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Everything except the last fully connected layer.
    AllButLast,
    /// The layers before the fully connected ones.
    Convolutions,
}

/// The layers with parameters of a network that will be fine-tuned.
struct Parts {
    /// The number of layers before the first fully connected one.
    convolutions: usize,
    /// The number of layers before the last one, which is fully connected.
    all_but_last: usize,
}

impl Parts {
    fn of(layers: &[Weighted<'_>]) -> Result<Self, String> {
        let linear = |one: &Weighted<'_>| matches!(one.layer, Layer::Linear(_));
        match (
            layers.iter().position(linear),
            layers.last().map(|one| one.layer),
        ) {
            (Some(convolutions), Some(Layer::Linear(_))) => Ok(Self {
                convolutions,
                all_but_last: layers.len() - 1,
            }),
            _ => Err(
                "the network to be fine-tuned does not end in a fully connected layer, so there is none \
                 to be trained anew"
                    .into(),
            ),
        }
    }

    /// The number of layers that receive weights.
    fn count(&self, kept: Loaded) -> usize {
        match kept {
            Loaded::AllButLast => self.all_but_last,
            Loaded::Convolutions => self.convolutions,
        }
    }
}

/// From named tensors.
pub fn named(network: &mut Network, dicts: Vec<Dict>) -> Result<Loaded, String> {
    let own = names::numbered(network);
    let Matched { names, tensors } = names::matching(network, &own, dicts)?;
    let layers = weighted(network);
    let parts = Parts::of(&layers)?;
    let between =
        || (parts.convolutions..parts.all_but_last).map(|at| (&names[at], layers[at].layer));
    let fits = |(name, layer): (&String, &Layer)| {
        let has = |parameter: &str, shape: &[usize]| {
            let found = tensors.get(&format!("{name}.{parameter}"));
            found.is_some_and(|found| found.shape == shape)
        };
        match layer {
            Layer::Linear(linear) => {
                let bias = linear.bias.as_ref();
                has("weight", &linear.weight.dims())
                    && bias.is_none_or(|bias| has("bias", &bias.dims()))
            }
            Layer::BatchNorm2d(norm) => ["weight", "bias", "running_mean", "running_var"]
                .iter()
                .all(|parameter| has(parameter, &norm.weight.dims())),
            _ => false,
        }
    };
    let kept = if between().all(fits) {
        Loaded::AllButLast
    } else {
        Loaded::Convolutions
    };
    let names = names[..parts.count(kept)].to_vec();
    // Tensors of a classifier that is not kept are ignored. Any other tensor that does not belong
    // to the network is an error.
    let connected: Vec<String> = (tensors.iter())
        .filter(|(_, stored)| stored.shape.len() == 2)
        .filter_map(|(name, _)| name.strip_suffix(".weight"))
        .map(str::to_owned)
        .collect();
    let own = |name: &str| {
        let layer = names::layer(name);
        names.iter().any(|own| own == layer) || !connected.iter().any(|c| is_or_follows(layer, c))
    };
    let tensors = tensors.into_iter().filter(|(name, _)| own(name)).collect();
    fill(network, &names, tensors, true)?;
    Ok(kept)
}

/// Whether `layer` is the `connected` one, or follows it in the same `Sequential`, as a
/// normalisation can.
fn is_or_follows(layer: &str, connected: &str) -> bool {
    let split = |name: &str| -> Option<(String, usize)> {
        let (within, number) = name.rsplit_once('.').unwrap_or(("", name));
        Some((within.to_owned(), number.parse().ok()?))
    };
    layer == connected
        || split(layer)
            .zip(split(connected))
            .is_some_and(|((within, number), (same, first))| within == same && number > first)
}

/// From operations in the order of a forward pass.
pub fn in_order(network: &mut Network, mut operations: Vec<Operation>) -> Result<Loaded, String> {
    let names = names::numbered(network);
    let layers = weighted(network);
    let parts = Parts::of(&layers)?;
    let linear = |operation: &Operation| operation.kind == Kind::Linear;
    let order = other_order(network, &names[..parts.convolutions], &operations);
    let first = operations.iter().position(linear);
    let mut connected = operations.split_off(first.unwrap_or(operations.len()));
    connected.pop(); // the file's last layer
    let range = parts.convolutions..parts.all_but_last;
    let further = align(&names[range.clone()], &layers[range], connected);
    let range = ..parts.convolutions;
    let mut tensors = align(&names[range], &layers[range], operations)?;
    order.map_or(Ok(()), Err)?;
    let kept = match further {
        Ok(further) => {
            tensors.extend(further);
            Loaded::AllButLast
        }
        Err(_) => Loaded::Convolutions,
    };
    fill(network, &names[..parts.count(kept)], tensors, true)?;
    Ok(kept)
}
