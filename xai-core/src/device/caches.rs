//! Where the caches of CubeCL, the part of Burn that compiles kernels for GPUs, are stored.

use std::path::{Path, PathBuf};
use std::sync::Once;

use cubecl::config::cache::CacheConfig;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Stores compiled kernels, and autotune's choices among them, in the user's cache. Compiling and
/// choosing takes minutes the first time. By default, the choices are stored in the `target` folder
/// of the working folder, and kernels nowhere. A `cubecl.toml` in the working folder or above takes
/// precedence.
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

/// `$XDG_CACHE_HOME/xai-benchmark/gpu` or `~/.cache/xai-benchmark/gpu`, if it can be created.
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
