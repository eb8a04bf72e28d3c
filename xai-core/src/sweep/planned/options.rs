//! How to run a sweep.

use std::path::PathBuf;

use crate::attribution::Memory;
use crate::device::Devices;
use crate::sweep::context::BUDGET;
use crate::sweep::declare::Scale;
use crate::sweep::plan::Restriction;

/// How to run a sweep.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// How large.
    pub scale: Scale,
    /// Where to compute; cells are divided between several devices.
    pub devices: Devices,
    /// Cells computed at a time, each with its share of the cores. Results do not depend on it.
    pub jobs: usize,
    /// The folder of all runs.
    pub out: PathBuf,
    /// What of the design to run.
    pub restriction: Restriction,
    /// Memory for outputs of frozen layers, which trainings share; larger ones are kept in files. Results do not
    /// depend on it.
    pub memory: Memory,
    /// Computes every cell and every stage again.
    pub fresh: bool,
    /// How often a cell that fails is tried again.
    pub retry: usize,
    /// Begins no other cell after one has failed.
    pub fail_fast: bool,
    /// Prints the plan and stops.
    pub plan_only: bool,
    /// Prints nothing but warnings.
    pub quiet: bool,
    /// Prints events for programs, one line of JSON each, instead of text.
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
            retry: 0,
            fail_fast: false,
            plan_only: false,
            quiet: false,
            json: false,
        }
    }
}
