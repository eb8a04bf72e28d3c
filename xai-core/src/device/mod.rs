//! The tensor type and the choice of device.
//!
//! No signature has a backend parameter. There is one [`Backend`]. With a GPU's feature (`cuda`,
//! `vulkan`, `metal`), it is Burn's `Dispatch`, whose tensors are on the CPU or GPU on which they
//! were created. Without such a feature, it is Burn's CPU backend itself. This crate's kernels can
//! then read a tensor in place. `Dispatch` hides the tensor's memory, so each use of a shared
//! tensor copies it three times.

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

use crate::process::in_pool;

/// The backend: with a GPU's feature, CPU or GPU depending on the device; otherwise, the CPU.
#[cfg(not(feature = "gpu"))]
pub type Backend = burn::backend::Flex;
/// The backend: with a GPU's feature, CPU or GPU depending on the device; otherwise, the CPU.
#[cfg(feature = "gpu")]
pub type Backend = burn::Dispatch;

/// A tensor of rank `D`. Activations are `[images, channels, height, width]`.
pub type Tensor<const D: usize> = burn::tensor::Tensor<Backend, D>;

/// The backend for a user's own module with gradients.
pub type AutodiffBackend = burn::backend::Autodiff<Backend>;

/// A tensor with gradients.
pub type AutodiffTensor<const D: usize> = burn::tensor::Tensor<AutodiffBackend, D>;

/// The device of tensors.
pub type Device = burn::tensor::Device<Backend>;

/// Whether the CPU kernels can and should be used on this device.
pub(crate) fn on_cpu(device: &Device) -> bool {
    #[cfg(not(feature = "gpu"))]
    let (burn::backend::flex::FlexDevice, is_cpu) = (device, true);
    #[cfg(feature = "gpu")]
    let is_cpu = matches!(device, Device::Flex(_));
    is_cpu && kernels_wanted()
}

/// On a CPU, does `work` on a thread of rayon's pool, see [`in_pool`]. Elsewhere, there are no loops that wake threads.
pub(crate) fn on_a_worker<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    if on_cpu(device) {
        in_pool(work)
    } else {
        work()
    }
}

/// The default memory for passes through a model, in bytes: 2 GiB on a CPU, half of a GPU's memory.
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

/// Returns the memory that [`keep_freed_memory`] keeps to the system, for example after a phase
/// that needed much.
pub(crate) fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it looks through the allocator's own lists; any thread may call it.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes glibc keep the memory of large tensors and images for reuse, instead of returning it to
/// the system and obtaining it again page by page. A convolution of a large image then takes half
/// the time.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` sets two numbers; both are valid thresholds.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
