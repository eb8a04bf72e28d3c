//! NVIDIA GPUs: whether one can be used, and where what is learnt about it is kept.

use libloading::{Library, Symbol};

use crate::error::{Error, Result};

/// The driver's own library.
const DRIVER: &str = if cfg!(windows) {
    "nvcuda.dll"
} else {
    "libcuda.so.1"
};

fn missing(problem: String) -> Error {
    Error::invalid(format!(
        "no NVIDIA GPU can be used: {problem}; install NVIDIA's driver, or use --device flex (the CPU)"
    ))
}

/// The driver, asked before Burn asks it, which panics where there is none.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
struct Driver(Library);

#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
impl Driver {
    /// Opens and initialises it.
    fn open() -> Result<Self> {
        // SAFETY: the driver's library may be loaded anywhere.
        let library = unsafe { Library::new(DRIVER) };
        let driver = Self(library.map_err(|error| missing(error.to_string()))?);
        // SAFETY: the type is `cuInit`'s (CUDA driver API), as those below are of their functions.
        driver.call(unsafe {
            driver.function::<extern "C" fn(u32) -> i32>("cuInit")
        }?(0))?;
        Ok(driver)
    }

    /// # Safety
    /// `F` must be the function's type.
    unsafe fn function<F>(&self, name: &str) -> Result<Symbol<'_, F>> {
        // SAFETY: the caller's.
        let found = unsafe { self.0.get(name.as_bytes()) };
        found.map_err(|error| missing(error.to_string()))
    }

    fn call(&self, status: i32) -> Result<()> {
        match status {
            0 => Ok(()),
            status => Err(missing(format!("the driver says CUDA error {status}"))),
        }
    }

    /// How many GPUs there are.
    fn count(&self) -> Result<usize> {
        let mut count = 0;
        let get = unsafe { self.function::<extern "C" fn(&mut i32) -> i32>("cuDeviceGetCount") }?;
        self.call(get(&mut count))?;
        Ok(count as usize)
    }

    /// The memory of a GPU, in bytes.
    fn memory(&self, index: usize) -> Result<usize> {
        let (mut device, mut bytes) = (0, 0);
        let get = unsafe { self.function::<extern "C" fn(&mut i32, i32) -> i32>("cuDeviceGet") }?;
        self.call(get(&mut device, index as i32))?;
        let total = unsafe {
            self.function::<extern "C" fn(&mut usize, i32) -> i32>("cuDeviceTotalMem_v2")
        }?;
        self.call(total(&mut bytes, device))?;
        Ok(bytes)
    }
}

/// Errors unless there is a GPU of this number.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(super) fn check_driver(index: usize) -> Result<()> {
    match Driver::open()?.count()? {
        count if index < count => Ok(()),
        count => Err(missing(format!(
            "there are {count}, and none is cuda:{index}"
        ))),
    }
}

/// The memory of a GPU that is open, in bytes.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(super) fn memory(index: usize) -> Result<usize> {
    Driver::open()?.memory(index)
}

#[cfg(feature = "cuda")]
pub(super) use runtime::{check_compiler, keep_caches};

/// What concerns CubeCL, the part of Burn that compiles kernels for GPUs.
#[cfg(feature = "cuda")]
mod runtime {
    use std::path::{Path, PathBuf};
    use std::sync::Once;

    use cubecl::config::cache::CacheConfig;
    use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    use super::*;

    /// Looks for what kernels are compiled with at run time: NVRTC and CUDA's headers.
    ///
    /// Both are in any CUDA toolkit, and in the wheels `nvidia-cuda-nvrtc` and `nvidia-cuda-runtime`.
    pub fn check_compiler() -> Result<()> {
        let incomplete = |problem: String| {
            Error::invalid(format!(
                "a GPU is there, but its kernels cannot be compiled: {problem}; install a CUDA toolkit (12 or 13), \
                 or set CUDA_PATH to the folder that has its `include` and LD_LIBRARY_PATH to the one that has libnvrtc"
            ))
        };
        let names = nvrtc_names();
        // SAFETY: NVRTC may be loaded anywhere; nothing of it is called.
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
        match cfg!(windows) {
            true => [13, 12]
                .iter()
                .map(|major| format!("nvrtc64_{major}0_0.dll"))
                .collect(),
            false => ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    /// Keeps compiled kernels, and which of them autotune found fastest, in the user's cache: compiling and
    /// choosing takes minutes, the first time. Without this choices are kept in the `target` folder of where
    /// the program is started, and kernels nowhere. A `cubecl.toml` in the working folder or above it comes first.
    pub fn keep_caches() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            if CubeClRuntimeConfig::storage().lock().is_some() {
                return; // another program that uses Burn has settled it
            }
            let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
            if let Some(root) = user_cache() {
                if matches!(config.autotune.cache, CacheConfig::Target) {
                    config.autotune.cache = CacheConfig::File(root.clone());
                }
                (config.compilation.cache).get_or_insert(CacheConfig::File(root));
            }
            CubeClRuntimeConfig::set(config);
        });
    }

    /// `$XDG_CACHE_HOME/xai-benchmark/gpu` or `~/.cache/xai-benchmark/gpu`, if it can be made.
    fn user_cache() -> Option<PathBuf> {
        let absolute = |name| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .or_else(|| absolute("LOCALAPPDATA"))?;
        let root = base.join(Path::new("xai-benchmark/gpu"));
        std::fs::create_dir_all(&root).ok().map(|()| root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True on any machine: without a driver, and with fewer GPUs than this.
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
