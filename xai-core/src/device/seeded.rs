//! Random numbers that Burn itself draws.

use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::backend::Backend as _;

use super::{AutodiffBackend, Device};

/// Makes a Burn module with the initial weights of this seed.
///
/// Burn has one random generator for the whole process, and draws a weight when it is first used.
/// Cells run in parallel, so weights would depend on which cell is first. This function therefore
/// makes one module at a time and draws all of its weights at once.
pub fn seeded<M: Module<AutodiffBackend>>(
    seed: u64,
    device: &Device,
    make: impl FnOnce(&Device) -> M,
) -> M {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    AutodiffBackend::seed(device, seed);
    let module = make(device);
    module.num_params(); // looks at every weight
    module
}
