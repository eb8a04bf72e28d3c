//! How a device multiplies, and the switch by which tests run a GPU's code on a CPU.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// In how many bits a GPU multiplies in convolutions and matrix products; sums have 32 bits in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// As the kernel that Burn's autotune finds fastest: on tensor cores factors are rounded to TF32,
    /// 11 bits, as PyTorch's convolutions do. Errors are some 3e-4 of the largest value.
    #[default]
    Fast,
    /// In 32 bits up to rounding, whatever the kernel: three products in place of one.
    F32,
}

/// What the GPUs of this process were opened for.
static OPENED: OnceLock<Products> = OnceLock::new();

thread_local! {
    /// Whether this thread computes as on a GPU, and how it multiplies then.
    static PRETENDED: Cell<Option<Products>> = const { Cell::new(None) };
}

/// Opens the process's GPUs for this kind of products.
///
/// # Errors
/// If one was opened for the other kind: tensors do not know how they are to be multiplied.
#[cfg_attr(not(feature = "gpu"), allow(dead_code))]
pub(super) fn open(products: Products) -> Result<()> {
    match *OPENED.get_or_init(|| products) == products {
        true => Ok(()),
        false => Err(Error::invalid(
            "a process computes on GPUs either by `cuda` or by `cuda-f32`; start another one for the other",
        )),
    }
}

/// How to multiply where no kernel of ours does.
pub(crate) fn products() -> Products {
    let pretended = PRETENDED.get();
    pretended.unwrap_or_else(|| OPENED.get().copied().unwrap_or_default())
}

/// Whether a CPU's tensors go through our kernels.
pub(crate) fn kernels_wanted() -> bool {
    PRETENDED.get().is_none()
}

/// What `compute` gives if this thread computes on a CPU by the same code as on a GPU: by Burn's own
/// operations and none of our kernels. So tests reach that code on machines without a GPU.
pub fn as_on_gpu<T>(products: Products, compute: impl FnOnce() -> T) -> T {
    /// Back to normal, after a panic as well.
    struct Restore(Option<Products>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRETENDED.set(self.0);
        }
    }
    let _restore = Restore(PRETENDED.replace(Some(products)));
    compute()
}
