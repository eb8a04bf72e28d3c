//! The options of a sweep.

use std::path::PathBuf;

use super::part::Part;
use crate::attribution::Memory;
use crate::device::Devices;
use crate::sweep::context::BUDGET;
use crate::sweep::declare::Scale;
use crate::sweep::plan::Restriction;

/// The options of a sweep.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// The size.
    pub scale: Scale,
    /// Where to compute. The cells are divided between several devices.
    pub devices: Devices,
    /// The number of cells computed at the same time, each with its share of the cores. Results do
    /// not depend on it.
    pub jobs: usize,
    /// The folder for all runs.
    pub out: PathBuf,
    /// Which part of the design to run.
    pub restriction: Restriction,
    /// Memory of the process. Cells share images and outputs of frozen layers in half of it; larger
    /// outputs are kept in files. A quarter is for passes through the models that are explained.
    /// Results do not depend on it.
    pub memory: Memory,
    /// Recomputes every cell and every stage.
    pub fresh: bool,
    /// Recomputes the cells and stages that were computed by other code outside of the experiment's file.
    pub fresh_code: bool,
    /// How often a failed cell is retried.
    pub retry: usize,
    /// Starts no further cell after a failure.
    pub fail_fast: bool,
    /// Runs only a part of the plan that lies in the folder, as a task of a scheduler does.
    pub part: Option<Part>,
    /// Prints the plan and exits.
    pub plan_only: bool,
    /// Prints only warnings and errors.
    pub quiet: bool,
    /// Prints events for other programs, one line of JSON each, instead of text.
    pub json: bool,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            scale: Scale::default(),
            devices: Devices::default(),
            jobs: 1,
            out: PathBuf::from("runs"),
            restriction: Restriction::default(),
            memory: BUDGET,
            fresh: false,
            fresh_code: false,
            retry: 0,
            fail_fast: false,
            part: None,
            plan_only: false,
            quiet: false,
            json: false,
        }
    }
}
