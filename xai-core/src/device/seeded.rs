//! Random numbers that Burn draws itself.

use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::backend::Backend as _;

use super::{AutodiffBackend, Device};

/// A module of Burn whose first weights are those of this seed.
///
/// Burn has one generator for the whole process, and draws a weight when it is first used. Cells run at the same time, so
/// that weights would depend on who is first. Here one module is made at a time, and all its weights are drawn at once.
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
