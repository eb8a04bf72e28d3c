//! Networks in files: safetensors with torch's names for the weights of a `Sequential`, and the
//! list of layers in the metadata, so that one file is enough.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::dropout::ACTIVE_DROPOUT;
use super::{Layer, Network, json};
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};

/// The entry of the metadata with the list of layers.
const LAYERS: &str = "layers";

impl Network {
    /// Writes layers and weights to one file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let weights: Vec<(String, Vec<usize>, Vec<u8>)> = self.weights();
        let views: Vec<(&str, TensorView<'_>)> = weights
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
                (name.as_str(), view.expect("shape and bytes of one tensor"))
            })
            .collect();
        let mut metadata = HashMap::from([(LAYERS.to_owned(), json::describe(self))]);
        let seed = self.active_dropout.map(|seed| seed.to_string());
        metadata.extend(seed.map(|seed| (ACTIVE_DROPOUT.to_owned(), seed)));
        safetensors::serialize_to_file(views, Some(metadata), path)
            .map_err(|problem| Error::file(path, problem))
    }

    /// Reads a file written by [`Network::save`].
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or does not describe its layers.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = fs::read(path).map_err(|problem| Error::file(path, problem))?;
        let damaged = |problem| {
            Error::file(
                path,
                format!("is not a complete safetensors file ({problem})"),
            )
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let entry = |name| header.metadata().as_ref().and_then(|all| all.get(name));
        let layers = entry(LAYERS);
        let layers = layers.ok_or_else(|| {
            Error::file(
                path,
                "holds weights but no list of layers; use `network::json::read` with a description",
            )
        })?;
        let seed = entry(ACTIVE_DROPOUT).map(|seed| seed.parse()).transpose();
        let seed = seed.map_err(|problem| {
            Error::file(
                path,
                format!("{ACTIVE_DROPOUT} should be a seed ({problem})"),
            )
        })?;
        let network = json::network(layers, &file, device);
        let network = network.map_err(|problem| Error::file(path, problem))?;
        Ok(Self {
            active_dropout: seed,
            ..network
        })
    }

    /// A hash (BLAKE3, in hexadecimal) of layers and weights. Networks with the same hash are the
    /// same function.
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        let seed = self.active_dropout;
        hash.update(format!("{seed:?} {}", json::describe(self)).as_bytes());
        for (name, shape, bytes) in self.weights() {
            hash.update(format!("{name} {shape:?}").as_bytes());
            hash.update(&bytes);
        }
        hash.finalize().to_hex().to_string()
    }

    /// Name, shape and little-endian bytes of every parameter.
    fn weights(&self) -> Vec<(String, Vec<usize>, Vec<u8>)> {
        let mut weights = Vec::new();
        for (at, layer) in self.named_layers() {
            let mut keep = |name: &str, (shape, bytes)| {
                weights.push((format!("{at}.{name}"), shape, bytes));
            };
            match layer {
                Layer::Conv2d(conv) => {
                    keep("weight", bytes(&conv.weight));
                    conv.bias.iter().for_each(|bias| keep("bias", bytes(bias)));
                }
                Layer::Linear(linear) => {
                    keep("weight", bytes(&linear.weight));
                    linear
                        .bias
                        .iter()
                        .for_each(|bias| keep("bias", bytes(bias)));
                }
                Layer::BatchNorm2d(norm) => {
                    keep("weight", bytes(&norm.weight));
                    keep("bias", bytes(&norm.bias));
                    keep("running_mean", bytes(&norm.mean));
                    keep("running_var", bytes(&norm.variance));
                }
                _ => {}
            }
        }
        weights
    }
}

fn bytes<const D: usize>(tensor: &Tensor<D>) -> (Vec<usize>, Vec<u8>) {
    let numbers: Vec<f32> = tensor.to_data().into_vec().expect("32-bit floats");
    let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    (tensor.dims().to_vec(), bytes)
}
