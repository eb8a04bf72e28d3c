//! The tensor alias and the choice of device.
//!
//! No signature here carries a backend parameter: there is one [`Backend`]. With the feature `cuda`
//! it is [`burn::Dispatch`], whose tensors live on a CPU or on a GPU by the device they were made
//! on. Without, it is Burn's CPU backend itself: our kernels can then read a tensor where it lies,
//! while `Dispatch` hides it, so that each use of a shared tensor copies it three times.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The one backend: with `cuda`, CPU or GPU by the device; without, the CPU.
#[cfg(not(feature = "cuda"))]
pub type Backend = burn::backend::Flex;
/// The one backend: with `cuda`, CPU or GPU by the device; without, the CPU.
#[cfg(feature = "cuda")]
pub type Backend = burn::Dispatch;

/// A tensor of rank `D`. Activations are `[images, channels, height, width]`.
pub type Tensor<const D: usize> = burn::tensor::Tensor<Backend, D>;

/// Where tensors live.
pub type Device = burn::tensor::Device<Backend>;

/// Whether the kernels for CPUs can compute on this device.
pub(crate) fn on_cpu(device: &Device) -> bool {
    #[cfg(not(feature = "cuda"))]
    let burn::backend::flex::FlexDevice = device;
    #[cfg(not(feature = "cuda"))]
    return true;
    #[cfg(feature = "cuda")]
    return matches!(device, Device::Flex(_));
}

/// What `--device` takes: `flex` (this machine's CPU) or `cuda`, `cuda:1` (an NVIDIA GPU).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, by Burn's Flex backend and our own convolution.
    #[default]
    Flex,
    /// An NVIDIA GPU by its number. Needs the feature `cuda`.
    Cuda(usize),
}

impl DeviceChoice {
    /// Devices of one kind give the same results; which of a machine's GPUs does not matter.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cuda(_) => "cuda",
        }
    }

    /// Opens the device. On a build without `cuda`, asking for a GPU is an error that says how to build.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Flex => {
                keep_freed_memory();
                #[cfg(not(feature = "cuda"))]
                return Ok(Device::default());
                #[cfg(feature = "cuda")]
                return Ok(Device::Flex(Default::default()));
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Ok(Device::Cuda(burn::backend::cuda::CudaDevice::new(index))),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => Err(Error::invalid(
                "this program was built without CUDA; build it with `--features cuda`",
            )),
        }
    }
}

/// Tells glibc to keep the memory of large tensors for the next ones, instead of returning it to
/// the system and taking it back page by page: a convolution of a large image costs half the time.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` sets two numbers; both are valid thresholds.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "flex" => Ok(Self::Flex),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index
                .parse()
                .map(Self::Cuda)
                .map_err(|_| Error::invalid(format!("`{index}` is not the number of a GPU"))),
            _ => Err(Error::invalid(format!(
                "no device is called `{text}`; use `flex` (CPU), `cuda` or `cuda:1`"
            ))),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}
