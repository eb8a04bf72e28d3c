//! The value of `--device`.

use std::fmt;
use std::str::FromStr;

use super::{Adapter, Device, Products, keep_freed_memory};
use crate::error::{Error, Result};

/// The value of `--device`: `flex` (this machine's CPU), `cuda`, `cuda:1` (an NVIDIA GPU),
/// `cuda-f32` (the same with 32-bit products), `vulkan`, `vulkan:1` (any GPU with a Vulkan driver)
/// or `metal` (Apple's).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, with Burn's Flex backend and this crate's kernels.
    #[default]
    Flex,
    /// An NVIDIA GPU by its index, and its precision. Needs the feature `cuda`.
    Cuda(usize, Products),
    /// A GPU by its index among those with a Vulkan driver, real ones before software. It
    /// multiplies in 32 bits. Needs the feature `vulkan`.
    Vulkan(usize),
    /// The same with Metal, on Apple's systems. Needs the feature `metal`.
    Metal(usize),
}

impl DeviceChoice {
    /// Devices of one kind give the same results. It does not matter which of a machine's GPUs is
    /// used.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cuda(_, Products::Fast) => "cuda",
            Self::Cuda(_, Products::F32) => "cuda-f32",
            Self::Vulkan(_) => "vulkan",
            Self::Metal(_) => "metal",
        }
    }

    /// The index among the GPUs of its kind. `None` for the CPU.
    pub(super) fn index(self) -> Option<usize> {
        match self {
            Self::Flex => None,
            Self::Cuda(index, _) | Self::Vulkan(index) | Self::Metal(index) => Some(index),
        }
    }

    /// The GPU with this index and the same kind. `None` for the CPU.
    pub(super) fn at(self, index: usize) -> Option<Self> {
        match self {
            Self::Flex => None,
            Self::Cuda(_, products) => Some(Self::Cuda(index, products)),
            Self::Vulkan(_) => Some(Self::Vulkan(index)),
            Self::Metal(_) => Some(Self::Metal(index)),
        }
    }

    /// Opens the device. If the only GPU is software, a note is printed to standard error.
    ///
    /// # Errors
    /// If there is no such GPU, no driver or no compiler for its kernels, or if the build lacks the
    /// feature. The message says what to do.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Flex => {
                keep_freed_memory();
                #[cfg(not(feature = "gpu"))]
                return Ok(Device::default());
                #[cfg(feature = "gpu")]
                return Ok(Device::Flex(Default::default()));
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(index, products) => {
                super::cuda::check(index)?;
                super::caches::keep_caches();
                super::arithmetic::open(products)?;
                Ok(Device::Cuda(burn_cuda::CudaDevice::new(index)))
            }
            #[cfg(feature = "vulkan-untuned")]
            Self::Vulkan(index) => {
                let gpu = super::wgpu::open(index)?;
                super::caches::keep_caches();
                super::arithmetic::open(Products::Fast)?;
                Ok(Device::Vulkan(gpu))
            }
            #[cfg(feature = "metal")]
            Self::Metal(index) => {
                let gpu = super::wgpu::open(index)?;
                super::caches::keep_caches();
                super::arithmetic::open(Products::Fast)?;
                Ok(Device::Metal(gpu))
            }
            #[allow(unreachable_patterns)]
            Self::Cuda(..) | Self::Vulkan(_) | Self::Metal(_) => {
                let (name, feature) = match self {
                    Self::Vulkan(_) => ("Vulkan", "vulkan"),
                    Self::Metal(_) => ("Metal", "metal"),
                    _ => ("CUDA", "cuda"),
                };
                Err(Error::invalid(format!(
                    "this program was built without {name}; build it with `--features {feature}`"
                )))
            }
        }
    }

    /// The GPU and its driver. `None` for the CPU, and if there is no such GPU.
    pub fn adapter(self) -> Option<Adapter> {
        let mut all = match self {
            Self::Flex => Vec::new(),
            Self::Cuda(..) => super::cuda::adapters(),
            #[cfg(any(feature = "vulkan-untuned", feature = "metal"))]
            Self::Vulkan(_) | Self::Metal(_) => super::wgpu::adapters(),
            #[cfg(not(any(feature = "vulkan-untuned", feature = "metal")))]
            Self::Vulkan(_) | Self::Metal(_) => Vec::new(),
        };
        let index = self.index().filter(|&index| index < all.len())?;
        Some(all.swap_remove(index))
    }

    /// The devices that this program can open on this machine, with their GPUs.
    pub fn found() -> Vec<(Self, Option<Adapter>)> {
        let mut found = vec![(Self::Flex, None)];
        let kinds = [
            (cfg!(feature = "cuda"), Self::Cuda(0, Products::Fast)),
            (cfg!(feature = "vulkan-untuned"), Self::Vulkan(0)),
            (cfg!(feature = "metal"), Self::Metal(0)),
        ];
        for (_, first) in kinds.into_iter().filter(|(built, _)| *built) {
            let all = (0..).map_while(|index| {
                let device = first.at(index)?;
                Some((device, Some(device.adapter()?)))
            });
            found.extend(all);
        }
        found
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, index) = text.split_once(':').unwrap_or((text, "0"));
        let first = match kind {
            "flex" if kind == text => return Ok(Self::Flex),
            "cuda" => Self::Cuda(0, Products::Fast),
            "cuda-f32" => Self::Cuda(0, Products::F32),
            "vulkan" => Self::Vulkan(0),
            "metal" => Self::Metal(0),
            _ => {
                return Err(Error::invalid(format!(
                    "no device is called `{text}`; use `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32`, `vulkan` or `metal`"
                )));
            }
        };
        let index = index.parse().ok().and_then(|index| first.at(index));
        index.ok_or_else(|| {
            let (_, index) = text.split_once(':').unwrap_or_default();
            Error::invalid(format!("`{index}` is not the number of a GPU"))
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self.index() {
            None => Ok(()),
            Some(index) => write!(f, ":{index}"),
        }
    }
}
