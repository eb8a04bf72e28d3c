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

/// The backend of a user's own module whose gradient is wanted.
pub type AutodiffBackend = burn::backend::Autodiff<Backend>;

/// A tensor whose gradient can be asked for.
pub type AutodiffTensor<const D: usize> = burn::tensor::Tensor<AutodiffBackend, D>;

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
            Self::Cuda(index) => {
                check_cuda(index)?;
                Ok(Device::Cuda(burn::backend::cuda::CudaDevice::new(index)))
            }
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => Err(Error::invalid(
                "this program was built without CUDA; build it with `--features cuda`",
            )),
        }
    }
}

/// Looks for a GPU by the driver's own library, before Burn does, which panics where there is none.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
fn check_cuda(index: usize) -> Result<()> {
    use libloading::{Library, Symbol};

    const DRIVER: &str = if cfg!(windows) {
        "nvcuda.dll"
    } else {
        "libcuda.so.1"
    };
    let missing = |problem: String| {
        Error::invalid(format!(
            "no NVIDIA GPU can be used: {problem}; install NVIDIA's driver, or use --device flex (the CPU)"
        ))
    };
    // SAFETY: the driver's library may be loaded anywhere, and both functions have these types (CUDA driver API).
    let (status, count) = unsafe {
        let driver = Library::new(DRIVER).map_err(|error| missing(error.to_string()))?;
        let init: Symbol<unsafe extern "C" fn(u32) -> i32> = driver
            .get(b"cuInit")
            .map_err(|error| missing(error.to_string()))?;
        let get_count: Symbol<unsafe extern "C" fn(*mut i32) -> i32> = driver
            .get(b"cuDeviceGetCount")
            .map_err(|error| missing(error.to_string()))?;
        let mut count = 0;
        let status = match init(0) {
            0 => get_count(&mut count),
            status => status,
        };
        (status, count as usize)
    };
    if status != 0 {
        return Err(missing(format!("the driver says CUDA error {status}")));
    }
    if index >= count {
        return Err(missing(format!(
            "there are {count}, and none is cuda:{index}"
        )));
    }
    Ok(())
}

/// What `--device` takes: one device or several of one kind, between which cells are divided:
/// `flex`, `cuda`, `cuda:0,1`. `flex,flex` is one processor as two devices, for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Vec<DeviceChoice>);

impl Devices {
    /// The devices in order; at least one.
    pub fn all(&self) -> &[DeviceChoice] {
        &self.0
    }

    /// The kind of all of them.
    pub fn kind(&self) -> &'static str {
        self.0[0].kind()
    }
}

impl Default for Devices {
    fn default() -> Self {
        DeviceChoice::default().into()
    }
}

impl From<DeviceChoice> for Devices {
    fn from(device: DeviceChoice) -> Self {
        Self(vec![device])
    }
}

impl FromStr for Devices {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut devices: Vec<DeviceChoice> = Vec::new();
        for part in text.split(',') {
            // In `cuda:0,1` the kind is said once.
            let device = match (devices.first(), part.parse()) {
                (Some(DeviceChoice::Cuda(_)), Ok(index)) => DeviceChoice::Cuda(index),
                _ => part.parse()?,
            };
            if devices
                .first()
                .is_some_and(|first| first.kind() != device.kind())
            {
                return Err(Error::invalid(format!(
                    "`{text}` mixes kinds of devices, whose results are not the same; use one kind"
                )));
            }
            if matches!(device, DeviceChoice::Cuda(_)) && devices.contains(&device) {
                return Err(Error::invalid(format!("`{text}` names {device} twice")));
            }
            devices.push(device);
        }
        Ok(Self(devices))
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0[0])?;
        self.0[1..].iter().try_for_each(|device| match device {
            DeviceChoice::Flex => write!(f, ",{device}"),
            DeviceChoice::Cuda(index) => write!(f, ",{index}"),
        })
    }
}

/// Tells glibc to keep the memory of large tensors and images for the next ones, instead of returning it to
/// the system and taking it back page by page: a convolution of a large image costs half the time.
pub fn keep_freed_memory() {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// True on any machine: without a driver, and with fewer GPUs than this.
    #[test]
    fn a_gpu_that_is_not_there_is_one_clear_error() {
        let message = check_cuda(1_000).unwrap_err().to_string();
        assert!(
            message.starts_with("no NVIDIA GPU can be used: "),
            "{message}"
        );
        assert!(
            message.ends_with("or use --device flex (the CPU)"),
            "{message}"
        );
    }

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["flex", "flex,flex", "cuda:0", "cuda:0,1", "cuda:3,1"] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        assert_eq!("cuda,1".parse::<Devices>().unwrap().to_string(), "cuda:0,1");
    }
}
