//! What `--device` takes.

use std::fmt;
use std::str::FromStr;

use super::{Device, Products, keep_freed_memory};
use crate::error::{Error, Result};

/// What `--device` takes: `flex` (this machine's CPU), `cuda`, `cuda:1` (an NVIDIA GPU), or `cuda-f32`,
/// `cuda-f32:1` (the same, multiplying in 32 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, by Burn's Flex backend and our own convolution.
    #[default]
    Flex,
    /// An NVIDIA GPU by its number, and how it multiplies. Needs the feature `cuda`.
    Cuda(usize, Products),
}

impl DeviceChoice {
    /// Devices of one kind give the same results; which of a machine's GPUs does not matter.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cuda(_, Products::Fast) => "cuda",
            Self::Cuda(_, Products::F32) => "cuda-f32",
        }
    }

    /// Opens the device. On a build without `cuda`, asking for a GPU is an error that says how to build.
    ///
    /// # Errors
    /// No such GPU, no driver, or nothing to compile its kernels with; the message says what to do.
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
            Self::Cuda(index, products) => {
                super::cuda::check_driver(index)?;
                super::cuda::check_compiler()?;
                super::cuda::keep_caches();
                super::arithmetic::open(products)?;
                Ok(Device::Cuda(burn::backend::cuda::CudaDevice::new(index)))
            }
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(..) => Err(Error::invalid(
                "this program was built without CUDA; build it with `--features cuda`",
            )),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, index) = text.split_once(':').unwrap_or((text, "0"));
        let products = match kind {
            "flex" if kind == text => return Ok(Self::Flex),
            "cuda" => Products::Fast,
            "cuda-f32" => Products::F32,
            _ => {
                return Err(Error::invalid(format!(
                    "no device is called `{text}`; use `flex` (CPU), `cuda`, `cuda:1` or `cuda-f32`"
                )));
            }
        };
        match index.parse() {
            Ok(index) => Ok(Self::Cuda(index, products)),
            Err(_) => Err(Error::invalid(format!(
                "`{index}` is not the number of a GPU"
            ))),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Flex => Ok(()),
            Self::Cuda(index, _) => write!(f, ":{index}"),
        }
    }
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
                (Some(&DeviceChoice::Cuda(_, products)), Ok(index)) => {
                    DeviceChoice::Cuda(index, products)
                }
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
            if matches!(device, DeviceChoice::Cuda(..)) && devices.contains(&device) {
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
            DeviceChoice::Cuda(index, _) => write!(f, ",{index}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in [
            "flex",
            "flex,flex",
            "cuda:0",
            "cuda:0,1",
            "cuda:3,1",
            "cuda-f32:0,1",
        ] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        assert_eq!("cuda,1".parse::<Devices>().unwrap().to_string(), "cuda:0,1");
        for (text, problem) in [
            ("cuda:0,cuda-f32:1", "mixes kinds"),
            ("flex,cuda", "mixes kinds"),
            ("cuda:1,1", "twice"),
            ("cuda:x", "not the number of a GPU"),
            ("gpu", "no device is called `gpu`"),
            ("flex:1", "no device is called `flex:1`"),
        ] {
            let message = text.parse::<Devices>().unwrap_err().to_string();
            assert!(message.contains(problem), "{text}: {message}");
        }
    }
}
