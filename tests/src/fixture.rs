//! Fixtures: safetensors files with what another program computed, and often the network that it looked at.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::TensorData;
use ndarray::{Array, Array4, ArrayD, Dimension};
use safetensors::SafeTensors;
use xai_core::attribution::Images;
use xai_core::device::{Device, DeviceChoice, Tensor};
use xai_core::network::{Network, json};

/// The networks of `fixtures/captum` that every method is compared on, each a file `captum/<name>.safetensors`.
pub const CAPTUM_NETWORKS: [&str; 15] = [
    "plain",
    "strided",
    "overlapping_pools",
    "relu_before_pool",
    "pool_first",
    "enlarging_average",
    "batch_norm",
    "ties",
    "vgg",
    "average_pools",
    "smooth",
    "residual",
    "nested",
    "grouped",
    "dropout_before_pool",
];

/// A safetensors file.
pub struct Fixture {
    name: String,
    bytes: Vec<u8>,
}

impl Fixture {
    /// The file of this name in the folder `fixtures`.
    pub fn read(name: &str) -> Self {
        Self::at(&fixture(name))
    }

    /// The file at this place.
    pub fn at(path: &Path) -> Self {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self { name, bytes },
            Err(problem) => panic!("{name}: {problem}"),
        }
    }

    /// The file as its own library shows it.
    pub fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a safetensors file")
    }

    /// An array of float32, if there is one of this name.
    pub fn find(&self, name: &str) -> Option<ArrayD<f32>> {
        let file = self.file();
        let tensor = file.tensor(name).ok()?;
        let values = tensor.data().as_chunks::<4>().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Some(ArrayD::from_shape_vec(tensor.shape(), values).expect("float32"))
    }

    /// The array of float32 of this name, with as many axes as are wanted.
    pub fn array<D: Dimension>(&self, name: &str) -> Array<f32, D> {
        let found = self.find(name);
        let found = found.unwrap_or_else(|| panic!("{}: has no {name}", self.name));
        (found.into_dimensionality()).expect("an array with that many axes")
    }

    /// The network of the file's metadata, with the weights that the file holds.
    pub fn network(&self) -> Network {
        self.network_on(&device())
    }

    /// The same on another device than that of all tests.
    pub fn network_on(&self, device: &Device) -> Network {
        json::network(&self.description(), &self.file(), device).expect("layers and their weights")
    }

    /// The layers of the network, as JSON.
    pub fn description(&self) -> String {
        let header = SafeTensors::read_metadata(&self.bytes);
        let (_, header) = header.expect("a safetensors file");
        let metadata = header.metadata().as_ref().expect("metadata");
        metadata["network"].clone()
    }

    /// The images that were explained, each of class 0.
    pub fn images(&self) -> Images {
        let pixels: Array4<f32> = self.array("input");
        let class = vec![0; pixels.dim().0];
        Images::new(pixels, class)
    }
}

/// A file among the fixtures, which are beside this package or, on another machine, where `XAI_FIXTURES` says.
pub fn fixture(name: &str) -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folder = std::env::var_os("XAI_FIXTURES").map_or_else(here, PathBuf::from);
    folder.join(name)
}

/// The device of all tests: the CPU, or the one that the environment variable `XAI_DEVICE` names as `--device` does.
#[allow(clippy::clone_on_copy, reason = "no Copy with the feature `gpu`")]
pub fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        chosen()
            .open()
            .unwrap_or_else(|problem| panic!("{problem}"))
    };
    DEVICE.get_or_init(open).clone()
}

/// The CPU, whatever the device of all tests.
pub fn cpu() -> Device {
    DeviceChoice::Flex.open().expect("there is always a CPU")
}

/// The name of the device of all tests.
pub fn chosen() -> DeviceChoice {
    let name = std::env::var("XAI_DEVICE").unwrap_or_else(|_| "flex".to_owned());
    name.parse().unwrap_or_else(|problem| panic!("{problem}"))
}

/// Images as a tensor.
pub fn upload(images: &Array4<f32>) -> Tensor<4> {
    let shape: [usize; 4] = images.dim().into();
    let values = images.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// A tensor as an array with as many axes as are wanted: scores `[n, classes, 1, 1]` may lose the last two.
pub fn download<D: Dimension>(tensor: Tensor<4>) -> Array<f32, D> {
    let shape = tensor.dims();
    let axes = D::NDIM.unwrap_or(4);
    assert!(shape[axes..].iter().all(|&size| size == 1), "{shape:?}");
    let values = tensor.into_data().into_vec().expect("float32");
    let array = ArrayD::from_shape_vec(&shape[..axes], values).expect("one value a place");
    array.into_dimensionality().expect("that many axes")
}

/// The largest absolute value; infinite if any is not a number.
pub fn largest<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    values.into_iter().fold(0.0, |most, value| {
        if value.is_nan() {
            f32::INFINITY
        } else {
            most.max(value.abs())
        }
    })
}

/// The largest difference as a share of the largest value that is expected; where all of that is 0, any
/// other value is infinitely wrong.
pub fn error<D: Dimension>(found: &Array<f32, D>, expected: &Array<f32, D>) -> f32 {
    assert_eq!(found.shape(), expected.shape());
    match largest(&(found - expected)) {
        0.0 => 0.0,
        off => off / largest(expected),
    }
}
