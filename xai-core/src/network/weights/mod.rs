//! Weights from files of other programs.
//!
//! One reader per format turns a file into [`Stored`] tensors with torch's names and layouts.
//! Filling a network and reporting mismatches are the same for all formats.

mod burnpack;
mod fill;
mod fine_tuning;
mod layers;
mod names;
mod onnx;
mod onnx_channels;
mod onnx_constants;
mod onnx_format;
mod onnx_functions;
mod onnx_singles;
mod onnx_windows;
mod pickle;
mod pytorch;
mod stored;

use std::fs;
use std::path::Path;

use burn::tensor::DType;
use safetensors::{Dtype, SafeTensors};

use super::Network;
use super::dropout::ACTIVE_DROPOUT;
use crate::error::{Error, Result};
use names::Dict;
use stored::{Numbers, Stored, Tensors};

pub use fine_tuning::Loaded;

/// Loads the weights of a file into `network`. The format is detected from the content of the file.
///
/// | File | Names of the tensors |
/// |---|---|
/// | safetensors | torch's |
/// | PyTorch `.pth`, `.pt`: a state dict, of any version of PyTorch | torch's |
/// | ONNX, e.g. of a Keras network by tf2onnx | not used: layers with weights are taken in the graph's order |
/// | Burn's burnpack | those of the module's fields, with Burn's layouts |
///
/// Torch's names are those of a `Sequential` (`0.weight`, in a residual block `3.branch.0.weight`),
/// or torchvision's for VGGs (`features.0.weight`, `classifier.0.weight`) and ResNets
/// (`layer1.0.conv1.weight`). A prefix shared by all names, such as `module.`, is ignored.
///
/// # Errors
/// If the file cannot be read or has another format; if a convolution of an ONNX file has another stride, padding,
/// dilation or number of groups than its layer; if its poolings, ReLUs, leaky ReLUs and ELUs are not those of the network; if its graph has a constant that belongs to no layer, such as the 255 by
/// which it divides images; if tensors are missing, are unknown to the network, have another shape,
/// or hold numbers that are not finite. One error lists the first dozen, and the network is not changed.
pub fn load_weights(network: &mut Network, path: &Path) -> Result<()> {
    let names = names::numbered(network);
    load_named(network, &names, path)
}

/// As [`load_weights`], for a file whose tensors may also have names that begin with `names`, one
/// per layer with weights.
pub(super) fn load_named(network: &mut Network, names: &[String], path: &Path) -> Result<()> {
    with_content(path, |content| match content {
        Content::Named(dicts) => fill::whole(network, names, dicts),
        Content::InOrder(operations) => fill::in_order(network, operations),
    })
}

/// Loads weights of another task into a `network` that will be fine-tuned, for example those of
/// torchvision's `vgg16` with its 1000 classes into a network for 2. Any file that [`load_weights`]
/// accepts will do.
///
/// The last fully connected layer always keeps the network's own weights, because it is trained
/// from scratch. The other fully connected layers are loaded if all of them are in the file and
/// fit. Otherwise (if the file has only convolutions, or was made for another image size), they
/// keep their weights too, and only the layers before them are loaded. The return value says which
/// case it was.
///
/// ```no_run
/// use xai_core::device::DeviceChoice;
/// use xai_core::network::{Loaded, VggConfig, load_for_fine_tuning};
///
/// let vgg = VggConfig { width_divisor: 1, pooled: 7, dropout: 0.5, classes: 2 };
/// let mut network = vgg.init(false, 0, &DeviceChoice::Flex.open()?);
/// let kept = load_for_fine_tuning(&mut network, "vgg16-397923af.pth".as_ref())?;
/// assert_eq!(kept, Loaded::AllButLast);
/// # Ok::<(), xai_core::Error>(())
/// ```
///
/// # Errors
/// As [`load_weights`], for the layers before the fully connected ones; if the network does not end
/// in a fully connected layer.
pub fn load_for_fine_tuning(network: &mut Network, path: &Path) -> Result<Loaded> {
    with_content(path, |content| match content {
        Content::Named(dicts) => fine_tuning::named(network, dicts),
        Content::InOrder(operations) => fine_tuning::in_order(network, operations),
    })
}

/// The content of a file of weights.
enum Content<'a> {
    /// Named tensors, possibly in several dictionaries.
    Named(Vec<Dict<'a>>),
    /// Operations with weights, in the order of a forward pass. Their names are not used.
    InOrder(Vec<onnx::Operation>),
}

/// Reads a file and applies `act` to its content. Every error names the file.
fn with_content<T>(path: &Path, act: impl FnOnce(Content) -> Result<T, String>) -> Result<T> {
    let bytes = fs::read(path).map_err(|problem| Error::file(path, problem))?;
    let done = content(&bytes).and_then(act);
    done.map_err(|problem| Error::file(path, problem))
}

fn content(bytes: &[u8]) -> Result<Content<'_>, String> {
    match Format::of(bytes) {
        Format::Safetensors => safetensors(bytes).map(Content::Named),
        Format::Zip => pytorch::zipped(bytes).map(Content::Named),
        Format::Pickle => pytorch::legacy(bytes).map(Content::Named),
        Format::Burnpack => Ok(Content::Named(vec![whole(burnpack::read(bytes.to_vec())?)])),
        Format::Onnx => onnx::read(bytes).map(Content::InOrder),
        Format::Hdf5 => Err(
            "is HDF5, as Keras writes it; convert it to ONNX with tf2onnx and give that".into(),
        ),
        Format::Other => Err(
            "is none of the kinds of file that hold weights: safetensors, PyTorch .pth, ONNX, burnpack"
                .into(),
        ),
    }
}

/// The tensors of a file without any other dictionary.
fn whole(tensors: Tensors<'_>) -> Dict<'_> {
    Dict {
        place: String::new(),
        tensors,
    }
}

/// Loads those tensors of `file` into `network` whose names begin with `names`, one per layer with
/// weights. There may be other tensors.
///
/// # Errors
/// If tensors are missing or do not fit, in one error.
pub(super) fn take_from(
    network: &mut Network,
    names: &[String],
    file: &SafeTensors<'_>,
) -> Result<()> {
    fill::part(network, names, named(file)).map_err(Error::invalid)
}

fn safetensors(bytes: &[u8]) -> Result<Vec<Dict<'_>>, String> {
    let damaged = |problem| format!("is not a complete safetensors file ({problem})");
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    if (header.metadata().iter().flatten()).any(|(name, _)| name == ACTIVE_DROPOUT) {
        return Err(
            "holds a network with active dropout, and its weights alone are another network; read it by \
             `Network::load`, or save it again after `without_active_dropout`"
                .into(),
        );
    }
    let mut tensors = named(&file);
    // If tensors share their numbers, `safetensors.torch.save_model` writes one of them and records
    // the others in the metadata.
    for (alias, kept) in header.metadata().iter().flatten() {
        if let (Some(tensor), false) = (tensors.get(kept), tensors.contains_key(alias)) {
            let tensor = Stored {
                name: alias.clone(),
                ..tensor.clone()
            };
            tensors.insert(alias.clone(), tensor);
        }
    }
    Ok(vec![whole(tensors)])
}

fn named<'a>(file: &SafeTensors<'a>) -> Tensors<'a> {
    let tensors = file.tensors().into_iter().map(|(name, tensor)| {
        let numbers = match tensor.dtype() {
            Dtype::F32 => Numbers::Packed(DType::F32, tensor.data()),
            Dtype::F64 => Numbers::Packed(DType::F64, tensor.data()),
            Dtype::F16 => Numbers::Packed(DType::F16, tensor.data()),
            Dtype::BF16 => Numbers::Packed(DType::BF16, tensor.data()),
            other => Numbers::Other(other.to_string()),
        };
        let stored = Stored {
            name: name.clone(),
            shape: tensor.shape().to_vec(),
            numbers,
        };
        (name, stored)
    });
    tensors.collect()
}

/// The formats that can be distinguished.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Safetensors,
    Zip,
    Pickle,
    Burnpack,
    Onnx,
    Hdf5,
    Other,
}

impl Format {
    /// Detected from the first bytes.
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            // The length of the header in 8 bytes, then JSON.
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Self::Safetensors,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            // Pickle's protocol 2 or later, beginning with PyTorch's magic number.
            [0x80, _, ..] => Self::Pickle,
            [b'N', b'R', b'U', b'B', ..] => Self::Burnpack,
            [0x89, b'H', b'D', b'F', ..] => Self::Hdf5,
            // Field 1, a number: the version of ONNX's format.
            [0x08, 1..=100, ..] => Self::Onnx,
            _ => Self::Other,
        }
    }
}
