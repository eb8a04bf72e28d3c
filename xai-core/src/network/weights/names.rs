//! torch's names for the layers of a network, and the names under which a file has them.
//!
//! Training programs add prefixes to the names of a network and other tensors beside it: their own
//! module (`model.`), PyTorch's wrappers (`module.` for several GPUs, `_orig_mod.` for
//! `torch.compile`), a loss with weights, or a second network that is the running average of the
//! first.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::layers::{kind, weighted};
use super::stored::{Stored, Tensors};
use crate::network::{Layer, Network};

/// Components of names that PyTorch's wrappers insert.
const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// Where a training stores tensors that are not part of a network. They are ignored.
const NO_LAYERS: [&str; 3] = ["criterion", "loss", "metric"];

/// A dictionary of tensors in a file.
pub struct Dict<'a> {
    /// Its position in the file, as Python writes it (`["state_dict"]`). Empty for the file itself.
    pub place: String,
    pub tensors: Tensors<'a>,
}

/// The tensors of a network.
pub struct Matched<'a> {
    /// The prefixes of its layers' names in `tensors`, one per layer with weights.
    pub names: Vec<String>,
    pub tensors: Tensors<'a>,
}

/// A way to read a dictionary, and how well it fits.
struct Candidate<'d, 'a> {
    dict: &'d Dict<'a>,
    names: &'d [String],
    before: String,
    /// The number of layers whose weights are present with the right shape, and with any shape.
    fit: (usize, usize),
}

/// Finds the network among `dicts`, under its `own` or torchvision's names.
///
/// # Errors
/// If the network occurs more than once, with different weights.
pub fn matching<'a>(
    network: &Network,
    own: &[String],
    dicts: Vec<Dict<'a>>,
) -> Result<Matched<'a>, String> {
    let kinds = [Some(own.to_vec()), Some(vgg(network)), resnet(network)];
    let kinds: Vec<Vec<String>> = kinds.into_iter().flatten().collect();
    let shapes: Vec<Vec<usize>> = (weighted(network).into_iter())
        .map(|one| kind(one.layer).map_or(Vec::new(), |(_, shape)| shape))
        .collect();
    let dicts: Vec<Dict> = (dicts.into_iter())
        .map(|dict| without_wrappers(dict, &kinds))
        .collect();
    let mut candidates: Vec<Candidate> = Vec::new();
    for dict in &dicts {
        for names in &kinds {
            for (before, fit) in beginnings(names, &shapes, &dict.tensors) {
                candidates.push(Candidate {
                    dict,
                    names,
                    before,
                    fit,
                });
            }
        }
    }
    // Among equals, the first, so that the network's own names and the shortest prefix take
    // precedence.
    let mut best = &candidates[0];
    for candidate in &candidates {
        if candidate.fit > best.fit {
            best = candidate;
        }
    }
    if best.fit.0 * 2 > shapes.len() {
        let mut equals = candidates.iter().filter(|other| other.fit == best.fit);
        if let Some(other) = equals.find(|other| differ(best, other, &shapes)) {
            return Err(twice(best, other));
        }
    }
    let names: Vec<String> = (best.names.iter())
        .map(|name| format!("{}{name}", best.before))
        .collect();
    let own = |name: &str| names.iter().any(|own| layer(name) == own);
    let tensors = (best.dict.tensors.iter())
        .filter(|(name, _)| own(name) || !is_no_layer(name))
        .map(|(name, stored)| (name.clone(), stored.clone()))
        .collect();
    Ok(Matched { names, tensors })
}

/// The name of a tensor without that of the parameter.
pub fn layer(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// Removes the components that PyTorch's wrappers add, unless the network itself has such names, or
/// two tensors would then have the same name.
fn without_wrappers<'a>(dict: Dict<'a>, kinds: &[Vec<String>]) -> Dict<'a> {
    let own = |part: &str| {
        let mut names = kinds.iter().flatten();
        names.any(|name| name.split('.').any(|own| own == part))
    };
    let wrappers: Vec<&str> = WRAPPERS.into_iter().filter(|part| !own(part)).collect();
    let shorter = |name: &String| {
        let parts = name.split('.').filter(|part| !wrappers.contains(part));
        parts.collect::<Vec<_>>().join(".")
    };
    let shorter: BTreeMap<String, Stored> = (dict.tensors.iter())
        .map(|(name, stored)| (shorter(name), stored.clone()))
        .collect();
    if shorter.len() == dict.tensors.len() {
        Dict {
            tensors: shorter,
            ..dict
        }
    } else {
        dict
    }
}

/// The possible prefixes of `names` in `tensors`, and the number of layers that receive weights
/// with each. The empty prefix is always included and comes first.
fn beginnings(
    names: &[String],
    shapes: &[Vec<usize>],
    tensors: &Tensors,
) -> BTreeMap<String, (usize, usize)> {
    let mut fits = BTreeMap::from([(String::new(), (0, 0))]);
    for (name, shape) in names.iter().zip(shapes) {
        let end = format!("{name}.weight");
        for (found, stored) in tensors {
            let Some(before) = found.strip_suffix(&end) else {
                continue;
            };
            if before.is_empty() || before.ends_with('.') {
                let fit = fits.entry(before.to_owned()).or_default();
                fit.0 += usize::from(stored.shape == *shape);
                fit.1 += 1;
            }
        }
    }
    fits
}

impl<'a> Candidate<'_, 'a> {
    /// A parameter of layer `at`, if it exists and is as large as that of a layer with a weight of
    /// this `shape`.
    fn parameter(&self, at: usize, shape: &[usize], parameter: &str) -> Option<&Stored<'a>> {
        let name = format!("{}{}.{parameter}", self.before, self.names[at]);
        let stored = self.dict.tensors.get(&name)?;
        (stored.shape == *shape || stored.shape == shape[..1]).then_some(stored)
    }
}

/// Whether two candidates have different numbers for a layer.
fn differ(one: &Candidate, other: &Candidate, shapes: &[Vec<usize>]) -> bool {
    shapes.iter().enumerate().any(|(at, shape)| {
        let parameters = ["weight", "bias", "running_mean", "running_var"];
        parameters.iter().any(|parameter| {
            let one = one.parameter(at, shape, parameter);
            match (one, other.parameter(at, shape, parameter)) {
                (Some(one), Some(other)) => !equal(&one.floats(), &other.floats()),
                (None, None) => false,
                _ => true,
            }
        })
    })
}

/// Whether numbers have the same bits. (A NaN would differ from itself.)
fn equal(one: &Result<Rc<Vec<f32>>, String>, other: &Result<Rc<Vec<f32>>, String>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one
            .iter()
            .map(|x| x.to_bits())
            .eq(other.iter().map(|x| x.to_bits())),
        _ => one == other,
    }
}

/// The error for a file with two different copies of a network.
fn twice(one: &Candidate, other: &Candidate) -> String {
    let place = |candidate: &Candidate| match candidate.before.as_str() {
        "" => format!("`{}`", candidate.dict.place),
        before => format!("`{}{before}`", candidate.dict.place),
    };
    let way_out = if std::ptr::eq(one.dict, other.dict) {
        "save the state dict of the one that is meant".to_owned()
    } else {
        let place = &one.dict.place;
        format!("keep the one that is meant: `torch.save(torch.load(file){place}, \"one.pth\")`")
    };
    let (one, other) = (place(one), place(other));
    format!("holds two networks that fit, {one} and {other}; {way_out}")
}

/// Whether a tensor beside the network is known not to be part of it.
fn is_no_layer(name: &str) -> bool {
    let part = |part: &str| NO_LAYERS.iter().any(|no_layer| part.contains(no_layer));
    name.split('.').any(part)
}

/// Those of a `Sequential`.
pub fn numbered(network: &Network) -> Vec<String> {
    let layers = network.named_layers().into_iter();
    let weighted = layers.filter(|(_, layer)| kind(layer).is_some());
    weighted.map(|(name, _)| name).collect()
}

/// torchvision's names for networks such as VGG: `features` up to the adaptive pooling,
/// `classifier` after the flattening.
fn vgg(network: &Network) -> Vec<String> {
    let mut names = Vec::new();
    let (mut part, mut first) = ("features", 0);
    for (at, layer) in network.layers.iter().enumerate() {
        if matches!(layer, Layer::Flatten) {
            (part, first) = ("classifier", at + 1);
        }
        if kind(layer).is_some() {
            names.push(format!("{part}.{}", at - first));
        }
    }
    names
}

/// torchvision's names for ResNets. A stage begins with a block whose shortcut has layers. Only the
/// first stage may lack them.
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
                    if kind(layer).is_some() {
                        names.push(format!("{at}.downsample.{place}"));
                    }
                }
            }
            _ => {}
        }
    }
    (names.len() == numbered(network).len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::network::{resnet as resnet_18, vgg as vgg_16};

    /// torchvision's names of the weights, and their shapes.
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
            let layers = layers.filter(|(_, layer)| kind(layer).is_some());
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
