//! The laboratory: what a cell may use.

mod bench;
mod conditions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::data::Data;
use super::frozen::Frozen;
use super::key::Key;
use super::log::Log;
use super::progress::{Progress, Reporter};
use super::settings::Settings;
use super::spec::Scale;
use super::store::Store;
use super::sweep::Agreement;
use super::weights::Weights;
use crate::attribution::{Gallery, Memory};
use crate::benchmark::Defects;
use crate::device::{Device, DeviceChoice, Devices};
use crate::error::{Error, Result};
use crate::random;
use bench::Bench;

/// Memory for outputs of frozen layers, unless a run says otherwise.
pub(super) const BUDGET: Memory = Memory(2 << 30);

/// The scale, the device, the random streams, the shared stages and the progress of a run.
///
/// Cheap to clone; each cell gets one of its own.
#[derive(Clone)]
pub struct Lab {
    shared: Arc<Shared>,
    bench: Arc<Bench>,
    settings: Arc<Settings>,
    defects: Defects,
    seed: u64,
    agreement: Option<Arc<Agreement>>,
    gallery: Option<Gallery>,
    data: Option<Arc<Data>>,
    weights: Option<Arc<Weights>>,
    cell: Option<OfCell>,
}

/// What belongs to the cell that a laboratory was lent to.
#[derive(Clone)]
struct OfCell {
    log: Arc<Log>,
    seconds: Arc<Mutex<Seconds>>,
}

/// Where the time of a cell's fit went, beside the fit's own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seconds {
    /// To stages, which other cells then need not compute.
    pub in_stages: f64,
    /// What a training would have taken that was there already.
    pub spared: f64,
}

struct Shared {
    scale: Scale,
    benches: Vec<Arc<Bench>>,
    budget: Memory,
    store: Store,
    reporter: Reporter,
}

impl Lab {
    /// A laboratory outside of a sweep, for other programs and for tests; its stages are in `out`.
    ///
    /// # Errors
    /// If the device is not there.
    pub fn open(scale: Scale, device: DeviceChoice, out: &Path) -> Result<Self> {
        let reporter = Reporter::new(true, false);
        let store = Store::new(out, "lab");
        Self::of_sweep(scale, &device.into(), BUDGET, store, reporter)
    }

    /// The laboratory of a sweep.
    pub(super) fn of_sweep(
        scale: Scale,
        devices: &Devices,
        budget: Memory,
        store: Store,
        reporter: Reporter,
    ) -> Result<Self> {
        let benches = (devices.all().iter())
            .map(|&choice| Bench::open(choice).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            bench: benches[0].clone(),
            shared: Arc::new(Shared {
                scale,
                benches,
                budget,
                store,
                reporter,
            }),
            settings: Arc::new(Settings::at(scale)),
            defects: Defects::NONE,
            seed: 0,
            agreement: None,
            gallery: None,
            data: None,
            weights: None,
            cell: None,
        })
    }

    /// The laboratory of a job: the devices take turns.
    pub(super) fn for_job(&self, job: usize) -> Self {
        let benches = &self.shared.benches;
        Self {
            bench: benches[job % benches.len()].clone(),
            ..self.clone()
        }
    }

    /// The laboratory of a cell: its random streams and its log are its own.
    pub(super) fn for_cell(
        &self,
        experiment: &str,
        values: &impl Serialize,
        log: Option<Arc<Log>>,
    ) -> Result<Self> {
        let seed = Key::of(&(experiment, values))?.seed();
        let seconds = Arc::default();
        Ok(Self {
            seed,
            cell: log.map(|log| OfCell { log, seconds }),
            ..self.clone()
        })
    }

    /// The seconds that this cell did not spend on itself.
    pub(super) fn seconds(&self) -> Seconds {
        let seconds = self
            .cell
            .as_ref()
            .map(|cell| *cell.seconds.lock().unwrap_or_else(PoisonError::into_inner));
        seconds.unwrap_or_default()
    }

    /// Changes [`seconds`](Self::seconds).
    pub(super) fn account(&self, change: impl FnOnce(&mut Seconds)) {
        if let Some(cell) = &self.cell {
            change(&mut cell.seconds.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The scale of the run.
    pub fn scale(&self) -> Scale {
        self.shared.scale
    }

    /// What the scale means in numbers.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where tensors live.
    pub fn device(&self) -> &Device {
        &self.bench.device
    }

    /// The device as `--device` takes it.
    pub fn device_choice(&self) -> DeviceChoice {
        self.bench.choice
    }

    /// Bytes for outputs of frozen layers on each device.
    pub(super) fn memory(&self) -> usize {
        self.shared.budget.bytes()
    }

    /// The outputs of frozen layers that are kept on this device.
    pub(super) fn kept_frozen(&self) -> &Frozen {
        &self.bench.frozen
    }

    /// The store of the run.
    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The progress of the run.
    pub(super) fn reporter(&self) -> &Reporter {
        &self.shared.reporter
    }

    /// The random stream called `purpose` of this cell; no other cell has the same.
    pub fn stream(&self, purpose: &str) -> ChaCha8Rng {
        random::stream(self.seed, purpose)
    }

    /// A folder of intermediate results that cells share, such as a pre-training.
    ///
    /// `inputs` must hold everything that determines the content: settings, seeds, the kind of device
    /// and a version number of the code that computes it. `compute` fills the folder it is given, once;
    /// after that, in this process, another one or another run, the folder is just there.
    ///
    /// # Errors
    /// What `compute` gives, or if files cannot be written.
    pub fn stage(
        &self,
        name: &str,
        inputs: &impl Serialize,
        compute: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let (start, before) = (Instant::now(), self.seconds().in_stages);
        let folder = self.shared.store.stage(name, inputs, compute)?;
        // Stages within this one are in its own time.
        self.account(|seconds| seconds.in_stages = before + start.elapsed().as_secs_f64());
        Ok(folder)
    }

    /// The one `T` of this process (of each device, if there are several), made by `make` at the first call: data that every cell reads.
    ///
    /// # Errors
    /// What `make` gives.
    pub fn once<T: Send + Sync + 'static>(
        &self,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        self.once_called("", make)
    }

    /// [`once`](Self::once) for each `name`.
    pub(super) fn once_called<T: Send + Sync + 'static>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        self.bench.once(name, make)
    }

    /// A bar of `len` steps under that of the sweep, until it is dropped.
    pub fn progress(&self, len: usize, label: &str) -> Progress {
        let log = self.cell.as_ref().map(|cell| cell.log.clone());
        self.shared.reporter.bar(len, label, log)
    }

    /// How many winners are right about each test image.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet.
    pub(super) fn agreement(&self) -> Result<&Agreement> {
        self.agreement.as_deref().ok_or_else(|| {
            Error::invalid(
                "the images that every winner classifies correctly are known only after the selection: \
                 ask for them in `test` or `baselines`, not in `fit`",
            )
        })
    }

    /// The test images that every winner classifies correctly, by index and in order.
    ///
    /// # Errors
    /// In [`Run::fit`](super::Run::fit), where the winners are not known yet; if there is no such image.
    pub fn agreed(&self) -> Result<Vec<u32>> {
        self.agreement()?.agreed()
    }
}
