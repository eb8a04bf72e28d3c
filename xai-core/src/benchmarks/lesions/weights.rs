//! The file of pre-trained weights that a run is given by `--weights`.

use std::fs;
use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::device::{Device, DeviceChoice};
use crate::error::{Error, Result};
use crate::network::{Network, load_for_fine_tuning};

const WANTED: &str = "--weights takes a VGG-16 without batch norm: torchvision's `vgg16` checkpoint as .pth or \
    .safetensors, or an ONNX file of such a network; without it the corpus `shapes` stands where ImageNet would";

/// A file with weights of a VGG-16, and what tells it from others.
pub(super) struct Weights {
    path: PathBuf,
    fingerprint: String,
}

impl Weights {
    /// Reads the file once, so that a wrong one shows before anything is computed.
    ///
    /// # Errors
    /// If it cannot be read, or its weights do not fit into `settings.network`.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
        let weights = Self {
            path: path.to_owned(),
            fingerprint: blake3::hash(&bytes).to_hex().to_string(),
        };
        drop(bytes);
        match weights.network(settings, &DeviceChoice::Flex.open()?) {
            Ok(_) => Ok(weights),
            Err(Error::File { path, problem }) => {
                Err(Error::file(path, format!("{problem}\n{WANTED}")))
            }
            Err(other) => Err(other),
        }
    }

    /// The hash of the file's content.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The network with the file's weights. Fully connected layers that the file has not, or has for another size
    /// of images, are as before any training; the last one always is.
    pub fn network(&self, settings: &Settings, device: &Device) -> Result<Network> {
        let mut network = settings.network.init(false, 0, device);
        load_for_fine_tuning(&mut network, &self.path)?;
        Ok(network)
    }
}
