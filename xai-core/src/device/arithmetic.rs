//! How a device multiplies, and the switch with which tests run a GPU's code on a CPU.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// The precision of a GPU's convolutions and matrix products. Sums always have 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// The precision of the kernel that Burn's autotune finds fastest. On tensor cores, factors are
    /// rounded to TF32 (11 bits), as in PyTorch's convolutions. Errors are about 3e-4 of the
    /// largest value.
    #[default]
    Fast,
    /// 32 bits up to rounding, with any kernel: three products instead of one.
    F32,
}

/// The precision for which the GPUs of this process were opened.
static OPENED: OnceLock<Products> = OnceLock::new();

thread_local! {
    /// Whether this thread computes as on a GPU, and with which precision.
    static PRETENDED: Cell<Option<Products>> = const { Cell::new(None) };
}

/// Opens the process's GPUs with this precision.
///
/// # Errors
/// If one was opened with the other precision, because tensors do not record it.
#[cfg_attr(not(feature = "gpu"), allow(dead_code))]
pub(super) fn open(products: Products) -> Result<()> {
    if *OPENED.get_or_init(|| products) == products {
        Ok(())
    } else {
        Err(Error::invalid(
            "a process computes on GPUs either by `cuda` or by `cuda-f32`; start another one for the other",
        ))
    }
}

/// The precision of products outside this crate's kernels.
pub(crate) fn products() -> Products {
    let pretended = PRETENDED.get();
    pretended.unwrap_or_else(|| OPENED.get().copied().unwrap_or_default())
}

/// Whether tensors on a CPU use this crate's kernels.
pub(crate) fn kernels_wanted() -> bool {
    PRETENDED.get().is_none()
}

/// Runs `compute` on a CPU with the code of a GPU: with Burn's own operations and none of this
/// crate's kernels. Tests use it to reach this code on machines without a GPU.
pub fn as_on_gpu<T>(products: Products, compute: impl FnOnce() -> T) -> T {
    /// Restores the previous state, also after a panic.
    struct Restore(Option<Products>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRETENDED.set(self.0);
        }
    }
    let _restore = Restore(PRETENDED.replace(Some(products)));
    compute()
}
