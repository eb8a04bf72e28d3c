//! The tensor alias and the choice of device.
//!
//! No signature here carries a backend parameter: there is one [`Backend`]. With a GPU's feature (`cuda`, `vulkan`, `metal`)
//! it is [`burn::Dispatch`], whose tensors live on a CPU or on a GPU by the device they were made
//! on. Without, it is Burn's CPU backend itself: our kernels can then read a tensor where it lies,
//! while `Dispatch` hides it, so that each use of a shared tensor copies it three times.

mod adapter;
mod arithmetic;
#[cfg(feature = "gpu")]
mod caches;
mod choice;
mod copies;
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
mod cuda;
mod seeded;
mod several;
mod vectors;
#[cfg(any(feature = "vulkan-untuned", feature = "metal"))]
mod wgpu;

pub use adapter::Adapter;
pub use arithmetic::{Products, as_on_gpu};
pub(crate) use arithmetic::{kernels_wanted, products};
pub use choice::DeviceChoice;
pub use copies::{Copies, copies};
pub(crate) use copies::{download, upload, upload_integers};
pub use seeded::seeded;
pub use several::Devices;
pub(crate) use vectors::vectorised;

/// The one backend: with a GPU's feature, CPU or GPU by the device; without, the CPU.
#[cfg(not(feature = "gpu"))]
pub type Backend = burn::backend::Flex;
/// The one backend: with a GPU's feature, CPU or GPU by the device; without, the CPU.
#[cfg(feature = "gpu")]
pub type Backend = burn::Dispatch;

/// A tensor of rank `D`. Activations are `[images, channels, height, width]`.
pub type Tensor<const D: usize> = burn::tensor::Tensor<Backend, D>;

/// The backend of a user's own module whose gradient is wanted.
pub type AutodiffBackend = burn::backend::Autodiff<Backend>;

/// A tensor whose gradient can be asked for.
pub type AutodiffTensor<const D: usize> = burn::tensor::Tensor<AutodiffBackend, D>;

/// Where tensors live.
pub type Device = burn::tensor::Device<Backend>;

/// Whether the kernels for CPUs can compute on this device, and are to.
pub(crate) fn on_cpu(device: &Device) -> bool {
    #[cfg(not(feature = "gpu"))]
    let (burn::backend::flex::FlexDevice, is_cpu) = (device, true);
    #[cfg(feature = "gpu")]
    let is_cpu = matches!(device, Device::Flex(_));
    is_cpu && kernels_wanted()
}

/// Memory for passes through a model where nothing else is said, in bytes: 2 GiB on a CPU, half of what a GPU has.
pub(crate) fn memory_for_passes(device: &Device) -> usize {
    const ON_A_CPU: usize = 2 << 30;
    let of_gpu: Option<usize> = match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(gpu) => cuda::memory(gpu.index).ok(),
        #[cfg(feature = "vulkan-untuned")]
        Device::Vulkan(gpu) => wgpu::memory(gpu),
        _ => None,
    };
    of_gpu.map_or(ON_A_CPU, |bytes| bytes / 2)
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
