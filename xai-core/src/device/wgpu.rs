//! GPUs found by wgpu, with Vulkan or Metal: which exist, and information about them.

use std::sync::{Once, OnceLock};

use cubecl::wgpu::WgpuDevice;
use wgpu::{AdapterInfo, Backends, DeviceType, Instance, InstanceDescriptor};

use super::Adapter;
use crate::error::{Error, Result};
use crate::process::to_stderr;

/// A build has only one of the two, because Burn disables both if a program requests both.
const BACKEND: Backends = if cfg!(feature = "metal") {
    Backends::METAL
} else {
    Backends::VULKAN
};

/// The GPUs in order: real ones first, the processor (a software driver) last. Looked up once per
/// process.
fn gpus() -> &'static [(AdapterInfo, Option<usize>)] {
    static FOUND: OnceLock<Vec<(AdapterInfo, Option<usize>)>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let instance = Instance::new(InstanceDescriptor {
            backends: BACKEND,
            ..InstanceDescriptor::new_without_display_handle()
        });
        let found = cubecl::future::block_on(instance.enumerate_adapters(BACKEND));
        let mut found: Vec<_> = found
            .into_iter()
            .map(|adapter| (adapter.get_info(), memory_of(&adapter)))
            .filter(|(gpu, _)| rank(gpu.device_type).is_some())
            .collect();
        found.sort_by_key(|(gpu, _)| rank(gpu.device_type));
        found
    })
}

/// The order of kinds. `None` for GPUs that Burn cannot open by index.
fn rank(kind: DeviceType) -> Option<usize> {
    match kind {
        DeviceType::DiscreteGpu => Some(0),
        DeviceType::IntegratedGpu => Some(1),
        DeviceType::VirtualGpu => Some(2),
        DeviceType::Cpu => Some(3),
        DeviceType::Other => None,
    }
}

/// Burn's name for the GPU with this index. Burn counts each kind separately.
///
/// # Errors
/// If there is none, or no driver.
pub(super) fn open(index: usize) -> Result<WgpuDevice> {
    let gpus = gpus();
    let Some((gpu, _)) = gpus.get(index) else {
        let (api, driver) = match BACKEND {
            Backends::METAL => ("Metal", "a Mac"),
            _ => (
                "Vulkan",
                "your GPU's Vulkan driver (for a processor: Mesa's, in Debian the package mesa-vulkan-drivers)",
            ),
        };
        let problem = match gpus.len() {
            0 => "there is no driver, or it finds none".to_owned(),
            count => format!("there are {count}, counted from 0, and none is number {index}"),
        };
        return Err(Error::invalid(format!(
            "no GPU can be used by {api}: {problem}; this needs {driver}, or use --device flex (the CPU)"
        )));
    };
    let kind = gpu.device_type;
    let before = gpus[..index].iter();
    let nth = before.filter(|(gpu, _)| gpu.device_type == kind).count();
    Ok(match kind {
        DeviceType::DiscreteGpu => WgpuDevice::DiscreteGpu(nth),
        DeviceType::IntegratedGpu => WgpuDevice::IntegratedGpu(nth),
        DeviceType::VirtualGpu => WgpuDevice::VirtualGpu(nth),
        _ => {
            static ONCE: Once = Once::new();
            ONCE.call_once(|| {
                to_stderr(&format!(
                    "warning: {} is a software driver that runs on this machine's processor, far slower than --device flex",
                    gpu.name
                ));
            });
            WgpuDevice::Cpu
        }
    })
}

/// Their names and drivers.
pub(super) fn adapters() -> Vec<Adapter> {
    let gpus = gpus().iter().map(|(gpu, _)| Adapter {
        name: gpu.name.clone(),
        driver: format!("{} {}", gpu.driver, gpu.driver_info)
            .trim()
            .to_owned(),
    });
    gpus.collect()
}

/// The memory of an open GPU in bytes, if its driver reports it.
pub(super) fn memory(device: &WgpuDevice) -> Option<usize> {
    let mut indices = 0..gpus().len();
    let index = indices.find(|&index| open(index).is_ok_and(|found| found == *device))?;
    gpus()[index].1
}

/// The largest heap on the device itself.
#[cfg(not(feature = "metal"))]
fn memory_of(adapter: &wgpu::Adapter) -> Option<usize> {
    // SAFETY: nothing outlives this function, and nothing is destroyed.
    let properties = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    // 1 is VK_MEMORY_HEAP_DEVICE_LOCAL_BIT.
    let heaps = properties.memory_heaps_as_slice().iter();
    let local = heaps.filter(|heap| heap.flags.as_raw() & 1 != 0);
    local.map(|heap| heap.size as usize).max()
}

/// Metal does not report it.
#[cfg(feature = "metal")]
fn memory_of(_: &wgpu::Adapter) -> Option<usize> {
    None
}
