//! The file of pre-trained weights given by `--weights`.

use std::fs;
use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::device::{Device, DeviceChoice};
use crate::error::{Error, Result};
use crate::network::{Network, load_for_fine_tuning};

const WANTED: &str = "--weights takes a VGG-16 without batch norm: torchvision's `vgg16` checkpoint as .pth or \
    .safetensors, or an ONNX file of such a network; without it, the corpus `shapes` takes the place of ImageNet";

/// A file with weights of a VGG-16, and its fingerprint.
pub(super) struct Weights {
    path: PathBuf,
    fingerprint: String,
}

impl Weights {
    /// Reads the file once, so that an unusable one is reported before anything is computed.
    ///
    /// # Errors
    /// If it cannot be read, or its weights do not fit `settings.network`.
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

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The network with the file's weights. Fully connected layers that the file lacks, or that are
    /// for another image size, keep their initial weights. The last layer always does.
    pub fn network(&self, settings: &Settings, device: &Device) -> Result<Network> {
        let mut network = settings.network.init(false, 0, device);
        load_for_fine_tuning(&mut network, &self.path)?;
        Ok(network)
    }
}
