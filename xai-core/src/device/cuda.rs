//! NVIDIA GPUs: whether one can be used, and information about it.

use libloading::{Library, Symbol};

use super::Adapter;
use crate::error::{Error, Result};

/// The driver's library.
const DRIVER: &str = if cfg!(windows) {
    "nvcuda.dll"
} else {
    "libcuda.so.1"
};

/// The driver's management library, which knows its version.
const MANAGEMENT: &str = if cfg!(windows) {
    "nvml.dll"
} else {
    "libnvidia-ml.so.1"
};

fn missing(problem: String) -> Error {
    Error::invalid(format!(
        "no NVIDIA GPU can be used: {problem}; install NVIDIA's driver, or use --device flex (the CPU)"
    ))
}

/// The driver. It is asked before Burn, which panics if there is none.
struct Driver(Library);

impl Driver {
    /// Opens and initialises the driver.
    fn open() -> Result<Self> {
        // SAFETY: the driver's library may be loaded anywhere.
        let library = unsafe { Library::new(DRIVER) };
        let driver = Self(library.map_err(|error| missing(error.to_string()))?);
        // SAFETY: the type is that of `cuInit` (CUDA driver API). The types below are those of
        // their functions.
        driver.call(unsafe {
            driver.function::<extern "C" fn(u32) -> i32>("cuInit")
        }?(0))?;
        Ok(driver)
    }

    /// # Safety
    /// `F` must be the function's type.
    unsafe fn function<F>(&self, name: &str) -> Result<Symbol<'_, F>> {
        // SAFETY: as required of the caller.
        let found = unsafe { self.0.get(name.as_bytes()) };
        found.map_err(|error| missing(error.to_string()))
    }

    fn call(&self, status: i32) -> Result<()> {
        match status {
            0 => Ok(()),
            status => Err(missing(format!("the driver says CUDA error {status}"))),
        }
    }

    /// The number of GPUs.
    fn count(&self) -> Result<usize> {
        let mut count = 0;
        let get = unsafe { self.function::<extern "C" fn(&mut i32) -> i32>("cuDeviceGetCount") }?;
        self.call(get(&mut count))?;
        Ok(count as usize)
    }

    /// The GPU with this index.
    fn device(&self, index: usize) -> Result<i32> {
        let mut device = 0;
        let get = unsafe { self.function::<extern "C" fn(&mut i32, i32) -> i32>("cuDeviceGet") }?;
        self.call(get(&mut device, index as i32))?;
        Ok(device)
    }

    /// The memory of a GPU, in bytes.
    fn memory(&self, index: usize) -> Result<usize> {
        let mut bytes = 0;
        let total = unsafe {
            self.function::<extern "C" fn(&mut usize, i32) -> i32>("cuDeviceTotalMem_v2")
        }?;
        self.call(total(&mut bytes, self.device(index)?))?;
        Ok(bytes)
    }

    /// The name of a GPU, such as `NVIDIA H200`.
    fn name(&self, index: usize) -> Result<String> {
        let mut name = [0; 256];
        let get =
            unsafe { self.function::<extern "C" fn(*mut u8, i32, i32) -> i32>("cuDeviceGetName") }?;
        self.call(get(
            name.as_mut_ptr(),
            name.len() as i32,
            self.device(index)?,
        ))?;
        Ok(text(&name))
    }

    /// The newest CUDA version that the driver supports, such as `CUDA 13.0`.
    fn newest_cuda(&self) -> Result<String> {
        let mut version = 0;
        let get = unsafe { self.function::<extern "C" fn(&mut i32) -> i32>("cuDriverGetVersion") }?;
        self.call(get(&mut version))?;
        Ok(format!("CUDA {}.{}", version / 1000, version % 1000 / 10))
    }
}

/// The driver's version, such as `580.159.04`. Only its management library knows it.
fn driver_version() -> Option<String> {
    let mut version = [0; 96];
    // SAFETY: loading the library has no side effects on this program; the types are those of
    // NVML's functions.
    unsafe {
        let library = Library::new(MANAGEMENT).ok()?;
        let init: Symbol<extern "C" fn() -> i32> = library.get(b"nvmlInit_v2").ok()?;
        let get: Symbol<extern "C" fn(*mut u8, u32) -> i32> =
            library.get(b"nvmlSystemGetDriverVersion").ok()?;
        (init() == 0 && get(version.as_mut_ptr(), version.len() as u32) == 0)
            .then(|| text(&version))
    }
}

/// A C string.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// Returns an error unless there is a GPU with this index and kernels can be compiled for it.
#[cfg(feature = "cuda")]
pub(super) fn check(index: usize) -> Result<()> {
    check_driver(index)?;
    compiler::check()
}

fn check_driver(index: usize) -> Result<()> {
    match Driver::open()?.count()? {
        count if index < count => Ok(()),
        count => Err(missing(format!(
            "there are {count}, and none is cuda:{index}"
        ))),
    }
}

/// The memory of a GPU, in bytes.
pub(super) fn memory(index: usize) -> Result<usize> {
    Driver::open()?.memory(index)
}

/// The GPUs of this machine in order. Empty without a driver.
pub(super) fn adapters() -> Vec<Adapter> {
    let Ok(driver) = Driver::open() else {
        return Vec::new();
    };
    let version = driver_version().or_else(|| driver.newest_cuda().ok());
    let gpus = 0..driver.count().unwrap_or(0);
    gpus.filter_map(|index| {
        Some(Adapter {
            name: driver.name(index).ok()?,
            driver: format!("NVIDIA {}", version.clone()?),
        })
    })
    .collect()
}

/// The compiler of kernels at run time.
#[cfg(feature = "cuda")]
mod compiler {
    use super::*;

    /// Looks for what is needed to compile kernels at run time: NVRTC and CUDA's headers.
    ///
    /// Both are part of any CUDA toolkit, and of the wheels `nvidia-cuda-nvrtc` and
    /// `nvidia-cuda-runtime`.
    pub fn check() -> Result<()> {
        let incomplete = |problem: String| {
            Error::invalid(format!(
                "there is a GPU, but kernels cannot be compiled for it: {problem}; install a CUDA toolkit (12 or 13), \
                 or set CUDA_PATH to the folder that contains `include`, and LD_LIBRARY_PATH to the folder that contains libnvrtc"
            ))
        };
        let names = nvrtc_names();
        // SAFETY: NVRTC may be loaded anywhere; none of its functions is called.
        let found = names
            .iter()
            .any(|name| unsafe { Library::new(name) }.is_ok());
        if !found {
            return Err(incomplete(format!("there is no {}", names[0])));
        }
        let headers = cubecl::cuda::install::cuda_path().map(|path| path.join("include"));
        match headers {
            Some(folder) if folder.join("cuda_runtime.h").exists() => Ok(()),
            Some(folder) => Err(incomplete(format!(
                "{} has no cuda_runtime.h",
                folder.display()
            ))),
            None => Err(incomplete("there is no CUDA installation".to_owned())),
        }
    }

    /// The names under which cudarc looks for NVRTC.
    fn nvrtc_names() -> Vec<String> {
        if cfg!(windows) {
            [13, 12]
                .iter()
                .map(|major| format!("nvrtc64_{major}0_0.dll"))
                .collect()
        } else {
            ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
                .map(str::to_owned)
                .to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This holds on any machine: without a driver, and with fewer GPUs than this.
    #[test]
    fn a_gpu_that_is_not_there_is_one_clear_error() {
        let message = check_driver(1_000).unwrap_err().to_string();
        assert!(
            message.starts_with("no NVIDIA GPU can be used: "),
            "{message}"
        );
        assert!(
            message.ends_with("or use --device flex (the CPU)"),
            "{message}"
        );
    }
}
