//! What torch calls the layers of a network.

use super::{Stored, Tensors};
use crate::network::{Layer, Network};

/// Of `own` and torchvision's names, those that most of `tensors` have; and the tensors without a
/// beginning that all their names share (such as the `module.` of a training on several GPUs), if that
/// is no name of the network's.
pub fn matching(network: &Network, own: &[String], tensors: Tensors) -> (Vec<String>, Tensors) {
    let kinds = [Some(own.to_vec()), Some(vgg(network)), resnet(network)];
    let kinds: Vec<Vec<String>> = kinds.into_iter().flatten().collect();
    let tensors = without_shared_beginning(tensors, &kinds.concat());
    let found = |names: &[String]| {
        let there = |name: &&String| tensors.contains_key(&format!("{name}.weight"));
        names.iter().filter(there).count()
    };
    let mut best = own;
    for names in &kinds {
        if found(names) > found(best) {
            best = names;
        }
    }
    (best.to_vec(), tensors)
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

fn without_shared_beginning(tensors: Tensors, names: &[String]) -> Tensors {
    fn part(name: &str) -> Option<&str> {
        name.split_once('.').map(|(part, _)| part)
    }
    let shared = tensors.keys().next().and_then(|name| part(name));
    let Some(shared) = shared.map(str::to_owned) else {
        return tensors;
    };
    let all = tensors.keys().all(|name| part(name) == Some(&shared));
    let ours = names
        .iter()
        .any(|name| name.split('.').next() == Some(&shared));
    if !all || ours {
        return tensors;
    }
    let shorter = |(name, stored): (String, Stored)| (name[shared.len() + 1..].to_owned(), stored);
    tensors.into_iter().map(shorter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::network::{resnet as resnet_18, vgg as vgg_16};

    /// What torchvision's networks call their weights, and the weights' shapes.
    #[test]
    fn names_are_torchvisions() {
        type Shapes = std::collections::HashMap<String, Vec<(String, Vec<usize>)>>;
        let expected = include_str!("../../../../tests/fixtures/networks/torchvision.json");
        let expected: Shapes = serde_json::from_str(expected).unwrap();
        let device = DeviceChoice::Flex.open().unwrap();
        for (name, network, names) in [
            (
                "vgg16",
                vgg_16::torchvision(3, false, &device),
                vgg as fn(&Network) -> Vec<String>,
            ),
            ("vgg16_bn", vgg_16::torchvision(3, true, &device), vgg),
            ("resnet18", resnet_18::torchvision(3, &device), |network| {
                resnet(network).unwrap()
            }),
        ] {
            let mut found = Vec::new();
            let layers = network.named_layers().into_iter();
            let layers = layers.filter(|(_, layer)| has_parameters(layer));
            for ((_, layer), at) in layers.zip(names(&network)) {
                let mut add = |name: &str, shape: &[usize]| {
                    found.push((format!("{at}.{name}"), shape.to_vec()));
                };
                match layer {
                    Layer::Conv2d(conv) => {
                        add("weight", &conv.weight.dims());
                        conv.bias.iter().for_each(|bias| add("bias", &bias.dims()));
                    }
                    Layer::Linear(linear) => {
                        add("weight", &linear.weight.dims());
                        linear
                            .bias
                            .iter()
                            .for_each(|bias| add("bias", &bias.dims()));
                    }
                    Layer::BatchNorm2d(norm) => {
                        for name in ["weight", "bias", "running_mean", "running_var"] {
                            add(name, &norm.weight.dims());
                        }
                    }
                    _ => {}
                }
            }
            let mut expected = expected[name].clone();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{name}");
        }
    }
}
