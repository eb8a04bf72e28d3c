//! Weights from files that other programs wrote.
//!
//! A reader a format turns a file into [`Stored`] tensors under torch's names and in torch's
//! layouts; what they are put into, and what is said if they do not fit, is the same for all.

mod burnpack;
mod fill;
mod fine_tuning;
mod names;
mod onnx;
mod onnx_format;
mod pickle;
mod pytorch;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensors};

use super::Network;
use crate::error::{Error, Result};

pub use fine_tuning::Kept;

/// A tensor from a file.
#[derive(Clone, Debug)]
struct Stored {
    shape: Vec<usize>,
    /// 32-bit floats, or `None` where the file holds integers.
    numbers: Option<Vec<f32>>,
}

impl Stored {
    /// From little-endian `bytes` of a type, `None` for what is no float.
    fn new(shape: Vec<usize>, kind: Option<DType>, bytes: &[u8]) -> Result<Self, String> {
        let Some(kind) = kind else {
            let numbers = None;
            return Ok(Self { shape, numbers });
        };
        let count: usize = shape.iter().product();
        if bytes.len() != count * kind.size() {
            let found = bytes.len();
            return Err(format!("a tensor of {shape:?} has {found} bytes"));
        }
        let numbers = match kind {
            DType::F32 => {
                let numbers = bytes.as_chunks::<4>().0.iter();
                numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            _ => TensorData::from_bytes_vec(bytes.to_vec(), [count], kind)
                .convert::<f32>()
                .into_vec()
                .map_err(|problem| format!("{problem:?}"))?,
        };
        Ok(Self {
            shape,
            numbers: Some(numbers),
        })
    }

    /// The same numbers with `order[i]` the old place of what is now at place i.
    fn reordered(self, shape: Vec<usize>, order: impl Iterator<Item = usize>) -> Self {
        let numbers = (self.numbers).map(|numbers| order.map(|place| numbers[place]).collect());
        Self { shape, numbers }
    }

    /// The transpose of a matrix; anything else as it is.
    fn transposed(self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else {
            return self;
        };
        let order = (0..rows * columns).map(|place| place % rows * columns + place / rows);
        self.reordered(vec![columns, rows], order)
    }
}

/// Tensors under torch's names.
type Tensors = BTreeMap<String, Stored>;

/// Puts the weights of a file into `network`. What kind of file it is is told by its content:
///
/// | File | Names of the tensors |
/// |---|---|
/// | safetensors | torch's |
/// | PyTorch `.pth`, `.pt`: a state dict, of any version of PyTorch | torch's |
/// | ONNX, e.g. of a Keras network by tf2onnx | any: layers with weights are taken in the graph's order |
/// | Burn's burnpack | those of the module's fields, with Burn's layouts |
///
/// Torch's names are those of a `Sequential` (`0.weight`, in a residual block `3.branch.0.weight`), or
/// torchvision's for VGGs (`features.0.weight`, `classifier.0.weight`) and ResNets
/// (`layer1.0.conv1.weight`). A beginning that all names share, such as `module.`, does not matter.
///
/// # Errors
/// A file that cannot be read or is of no such kind. Tensors that are missing, that the network does
/// not have, or that have another shape: in one error, which lists the first dozen; the network stays as it was.
pub fn load_weights(network: &mut Network, path: &Path) -> Result<()> {
    let names = names::numbered(network);
    load_named(network, &names, path)
}

/// [`load_weights`] from a file whose tensors may also have names that begin with `names`, one for each
/// layer with weights.
pub(super) fn load_named(network: &mut Network, names: &[String], path: &Path) -> Result<()> {
    let loaded = read(path)?.and_then(|content| match content {
        Content::Named(tensors) => fill::whole(network, names, tensors),
        Content::InOrder(operations) => fill::in_order(network, operations),
    });
    loaded.map_err(|problem| Error::file(path, problem))
}

/// Puts weights of another task into a `network` that is to be fine-tuned, such as those of torchvision's
/// `vgg16` with its 1000 classes into one for 2. The file may be any that [`load_weights`] takes.
///
/// The last fully connected layer is the network's own and stays as it was, whatever the file has there:
/// it is the one to be trained anew. The others are taken from the file if all of them are there and fit.
/// If not (the file has convolutions only, or was made for another size of images), they stay as they were
/// too, and only what comes before them is loaded. The answer says which it was.
///
/// ```no_run
/// use xai_core::device::DeviceChoice;
/// use xai_core::network::{Kept, VggConfig, load_for_fine_tuning};
///
/// let vgg = VggConfig { width_divisor: 1, pooled: 7, dropout: 0.5, classes: 2 };
/// let mut network = vgg.init(false, 0, &DeviceChoice::Flex.open()?);
/// let kept = load_for_fine_tuning(&mut network, "vgg16-397923af.pth".as_ref())?;
/// assert_eq!(kept, Kept::AllButLast);
/// # Ok::<(), xai_core::Error>(())
/// ```
///
/// # Errors
/// As [`load_weights`], about the layers before the fully connected ones; a network that does not end in
/// a fully connected layer.
pub fn load_for_fine_tuning(network: &mut Network, path: &Path) -> Result<Kept> {
    let loaded = read(path)?.and_then(|content| match content {
        Content::Named(tensors) => fine_tuning::named(network, tensors),
        Content::InOrder(operations) => fine_tuning::in_order(network, operations),
    });
    loaded.map_err(|problem| Error::file(path, problem))
}

/// What a file of weights holds.
enum Content {
    /// Tensors under names.
    Named(Tensors),
    /// Operations with weights, in the order of a forward pass; their names say nothing.
    InOrder(Vec<onnx::Operation>),
}

/// The content of a file, or what is wrong with it.
fn read(path: &Path) -> Result<Result<Content, String>> {
    let bytes = fs::read(path).map_err(|problem| Error::file(path, problem))?;
    Ok(match Format::of(&bytes) {
        Format::Safetensors => safetensors(&bytes).map(Content::Named),
        Format::Zip => pytorch::zipped(&bytes).map(Content::Named),
        Format::Pickle => pytorch::legacy(&bytes).map(Content::Named),
        Format::Burnpack => burnpack::read(bytes).map(Content::Named),
        Format::Onnx => onnx::read(&bytes).map(Content::InOrder),
        Format::Hdf5 => Err(
            "is HDF5, as Keras writes it; convert it to ONNX with tf2onnx and give that".into(),
        ),
        Format::Other => Err(
            "is none of the kinds of file that hold weights: safetensors, PyTorch .pth, ONNX, burnpack"
                .into(),
        ),
    })
}

/// Puts those tensors of `file` into `network` whose names begin with `names`, one for each layer with
/// weights; others may be there as well.
///
/// # Errors
/// Tensors that are missing or do not fit, in one error.
pub(super) fn take_from(
    network: &mut Network,
    names: &[String],
    file: &SafeTensors<'_>,
) -> Result<()> {
    let tensors = named(file).and_then(|tensors| fill::part(network, names, tensors));
    tensors.map_err(Error::invalid)
}

fn safetensors(bytes: &[u8]) -> Result<Tensors, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|problem| format!("is no whole safetensors file ({problem})"))?;
    named(&file)
}

fn named(file: &SafeTensors<'_>) -> Result<Tensors, String> {
    let tensors = file.iter().map(|(name, tensor)| {
        let kind = match tensor.dtype() {
            Dtype::F32 => Some(DType::F32),
            Dtype::F64 => Some(DType::F64),
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            _ => None,
        };
        let stored = Stored::new(tensor.shape().to_vec(), kind, tensor.data())?;
        Ok((name.to_owned(), stored))
    });
    tensors.collect()
}

/// The kinds of file that can be told apart.
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
    /// By the first bytes.
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            // The length of the header in 8 bytes, then JSON.
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Self::Safetensors,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            // Pickle's protocol 2 or later, with PyTorch's magic number first.
            [0x80, _, ..] => Self::Pickle,
            [b'N', b'R', b'U', b'B', ..] => Self::Burnpack,
            [0x89, b'H', b'D', b'F', ..] => Self::Hdf5,
            // Field 1, a number: the version of ONNX's format.
            [0x08, 1..=100, ..] => Self::Onnx,
            _ => Self::Other,
        }
    }
}
