//! What torch calls the layers of a network.

use super::{Stored, Tensors};
use crate::network::{Layer, Network};

/// The names, one for each layer with parameters, that fit `tensors` best.
pub fn best(network: &Network, tensors: &Tensors) -> Vec<String> {
    let found = |names: &Vec<String>| {
        let there = |name: &&String| tensors.contains_key(&format!("{name}.weight"));
        names.iter().filter(there).count()
    };
    let mut best = numbered(network);
    for names in [Some(vgg(network)), resnet(network)].into_iter().flatten() {
        if found(&names) > found(&best) {
            best = names;
        }
    }
    best
}

/// Those of a `Sequential`.
pub fn numbered(network: &Network) -> Vec<String> {
    let layers = network.named_layers().into_iter();
    let weighted = layers.filter(|(_, layer)| has_parameters(layer));
    weighted.map(|(name, _)| name).collect()
}

/// torchvision's for networks such as VGG: `features` up to the adaptive pooling, `classifier` after
/// the flattening.
fn vgg(network: &Network) -> Vec<String> {
    let mut names = Vec::new();
    let (mut part, mut first) = ("features", 0);
    for (at, layer) in network.layers.iter().enumerate() {
        if matches!(layer, Layer::Flatten) {
            (part, first) = ("classifier", at + 1);
        }
        if has_parameters(layer) {
            names.push(format!("{part}.{}", at - first));
        }
    }
    names
}

/// torchvision's for ResNets. A stage begins with a block whose shortcut has layers; only the first
/// stage may do without.
fn resnet(network: &Network) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let (mut stage, mut block) = (0, 0);
    let mut number = 0;
    for layer in &network.layers {
        match layer {
            Layer::Conv2d(_) if stage == 0 => names.push("conv1".into()),
            Layer::BatchNorm2d(_) if stage == 0 => names.push("bn1".into()),
            Layer::Linear(_) => names.push("fc".into()),
            Layer::Residual(residual) => {
                if stage == 0 || !residual.shortcut.is_empty() {
                    (stage, block) = (stage + 1, 0);
                } else {
                    block += 1;
                }
                let at = format!("layer{stage}.{block}");
                for layer in &residual.branch {
                    match layer {
                        Layer::Conv2d(_) => {
                            number += 1;
                            names.push(format!("{at}.conv{number}"));
                        }
                        Layer::BatchNorm2d(_) => names.push(format!("{at}.bn{number}")),
                        _ => {}
                    }
                }
                number = 0;
                for (place, layer) in residual.shortcut.iter().enumerate() {
                    if has_parameters(layer) {
                        names.push(format!("{at}.downsample.{place}"));
                    }
                }
            }
            _ => {}
        }
    }
    (names.len() == numbered(network).len()).then_some(names)
}

fn has_parameters(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::Conv2d(_) | Layer::Linear(_) | Layer::BatchNorm2d(_)
    )
}

/// The tensors with shorter names, where each begins with the same part (such as the `module.` of
/// a training on several GPUs) and no name of the network's does.
pub fn without_shared_beginning(tensors: Tensors, network: &Network) -> Tensors {
    let part = |name: &str| name.split_once('.').map(|(part, _)| part.to_owned());
    let shared = tensors.keys().next().and_then(|name| part(name));
    let Some(shared) = shared else {
        return tensors;
    };
    let all = tensors
        .keys()
        .all(|name| part(name).as_ref() == Some(&shared));
    let ours = [numbered(network), vgg(network)].concat();
    let ours = ours
        .iter()
        .any(|name| name.split('.').next() == Some(&shared));
    if !all || ours {
        return tensors;
    }
    let shorter = |(name, stored): (String, Stored)| (name[shared.len() + 1..].to_owned(), stored);
    tensors.into_iter().map(shorter).collect()
}
