//! What every cell of a sweep can use, for any benchmark.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::consensus::Consensus;
use super::kept::{InMemory, OfCode};
use super::on_device::OnDevice;
use crate::attribution::{Gallery, Memory};
use crate::device::{Device, DeviceChoice, Devices, on_cpu, return_freed_memory};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::random;
use crate::sweep::declare::Scale;
use crate::sweep::keep::{Asked, ChosenByWinners, Outside, Store, code_of_stage, note_other};
use crate::sweep::watch::{Log, Progress, Reporter};

/// The default memory of a process.
pub(crate) const BUDGET: Memory = Memory(2 << 30);

/// The scale, the device, the random streams, the shared stages and the progress of a run.
///
/// Cheap to clone. Each cell has its own.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
    on_device: Arc<OnDevice>,
    seed: u64,
    consensus: Option<Arc<Consensus>>,
    gallery: Option<Gallery>,
    cell: Option<OfCell>,
    /// The code that this cell's work comes from, outside of the experiment's file: this program's, or that of an older
    /// stage that it uses.
    code: Arc<Mutex<Outside>>,
    /// Whether a fit ends where its shared stages do.
    stages_only: bool,
}

/// The parts of a context that belong to a cell.
#[derive(Clone)]
struct OfCell {
    log: Arc<Log>,
    seconds: Arc<Mutex<Seconds>>,
    /// The images that the cell asked for by what the winners make of them.
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Time that a cell's fit did not spend on the fit itself, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seconds {
    /// Spent on stages, which other cells then need not compute.
    pub in_stages: f64,
    /// Saved because a training was already done.
    pub spared: f64,
}

struct Shared {
    scale: Scale,
    devices: Vec<Arc<OnDevice>>,
    budget: Memory,
    /// The number of cells computed at the same time.
    jobs: usize,
    store: Store,
    reporter: Reporter,
}

impl Context {
    /// The context of a sweep, whose process may use the memory `budget` for `jobs` cells at a time.
    ///
    /// # Errors
    /// If a device is not available.
    pub(crate) fn open(
        scale: Scale,
        devices: &Devices,
        budget: Memory,
        jobs: usize,
        store: Store,
        reporter: Reporter,
    ) -> Result<Self> {
        let devices = (devices.all().iter())
            .map(|&choice| OnDevice::open(choice).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            on_device: devices[0].clone(),
            code: Arc::new(Mutex::new(store.code().clone())),
            shared: Arc::new(Shared {
                scale,
                devices,
                budget,
                jobs,
                store,
                reporter,
            }),
            seed: 0,
            consensus: None,
            gallery: None,
            cell: None,
            stages_only: false,
        })
    }

    /// The context of a job. The devices are assigned in turn.
    pub(crate) fn for_job(&self, job: usize) -> Self {
        let devices = &self.shared.devices;
        Self {
            on_device: devices[job % devices.len()].clone(),
            ..self.clone()
        }
    }

    /// The context of a cell, with its own random streams and log.
    pub(crate) fn for_cell(
        &self,
        experiment: &str,
        values: &impl Serialize,
        log: Option<Arc<Log>>,
    ) -> Result<Self> {
        let seed = Key::of(&(experiment, values))?.seed();
        let cell = |log| OfCell {
            log,
            seconds: Arc::default(),
            asked: Arc::default(),
        };
        Ok(Self {
            seed,
            cell: log.map(cell),
            code: Arc::new(Mutex::new(self.store().code().clone())),
            ..self.clone()
        })
    }

    /// The context of the last phase, in which the images that each winner classifies correctly are
    /// known.
    pub(crate) fn with_consensus(&self, consensus: Arc<Consensus>) -> Self {
        Self {
            consensus: Some(consensus),
            ..self.clone()
        }
    }

    /// The context whose test images add some of their heat maps to a gallery.
    pub(crate) fn with_gallery(&self, gallery: &Gallery) -> Self {
        Self {
            gallery: Some(gallery.clone()),
            ..self.clone()
        }
    }

    /// The context of the phase that computes stages.
    pub(crate) fn with_stages_only(&self) -> Self {
        Self {
            stages_only: true,
            ..self.clone()
        }
    }

    /// Marks the point of a [fit](super::Run::fit) after which nothing is shared with other cells.
    ///
    /// On a cluster, shared stages are computed before the fits, so that no task waits for another.
    /// [`Lab::fit`](super::Lab::fit) calls this before it trains. A fit that trains by other means should
    /// call it itself; otherwise some cells are fitted early, which is right but slower.
    ///
    /// # Errors
    /// [`Error::StagesReady`] in the phase that computes stages; the caller must return it.
    pub fn end_of_shared_stages(&self) -> Result<()> {
        if self.stages_only {
            Err(Error::StagesReady)
        } else {
            Ok(())
        }
    }

    /// Where some heat maps of test images are collected.
    pub(super) fn gallery(&self) -> Option<Gallery> {
        self.gallery.clone()
    }

    /// The time that this cell did not spend on its own fit.
    pub(crate) fn seconds(&self) -> Seconds {
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

    /// The device on which tensors are allocated.
    pub fn device(&self) -> &Device {
        &self.on_device.device
    }

    /// The device in the form that `--device` accepts.
    pub fn device_choice(&self) -> DeviceChoice {
        self.on_device.choice
    }

    /// The part of the memory for what cells share on a device, in bytes: images, and outputs of
    /// frozen layers.
    pub(super) fn memory_to_share(&self) -> usize {
        self.shared.budget.bytes() / 2
    }

    /// The part of the memory for a cell's passes through its model, in bytes. `None` on a GPU, whose
    /// memory is not that of the process.
    pub(super) fn memory_for_passes(&self) -> Option<usize> {
        let cells = self.shared.jobs.max(1);
        on_cpu(self.device()).then(|| self.shared.budget.bytes() / 4 / cells)
    }

    /// The value with this name that cells share on this device, created by `make` if it is not in
    /// memory. It may be removed to make room for others.
    ///
    /// # Errors
    /// If `make` fails.
    pub(super) fn shared<T: InMemory>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let budget = self.memory_to_share();
        let made = self
            .on_device
            .kept
            .get(name, budget, || self.with_its_code(make))?;
        self.uses(&made.code);
        Ok(made.value.clone())
    }

    /// Drops what cells shared in a phase that is over, and returns its memory to the system.
    pub(crate) fn forget_shared(&self) {
        for device in &self.shared.devices {
            device.kept.clear();
        }
        return_freed_memory();
    }

    /// The store of the run.
    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The progress of the run.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.shared.reporter
    }

    /// The random stream called `purpose` of this cell. No other cell has the same stream.
    pub fn stream(&self, purpose: &str) -> ChaCha8Rng {
        random::stream(self.seed, purpose)
    }

    /// A folder of intermediate results that cells share, such as a pre-training.
    ///
    /// `inputs` must hold everything that determines the content: settings, seeds, the kind of
    /// device and a version number of the code that computes it. `compute` fills the folder it is
    /// given. It is called once; later calls in this process, in others and in later runs return
    /// the finished folder.
    ///
    /// # Errors
    /// If `compute` fails, or if files cannot be written.
    pub fn stage(
        &self,
        name: &str,
        inputs: &impl Serialize,
        compute: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let (start, before) = (Instant::now(), self.seconds().in_stages);
        let folder = self.uncounted_stage(name, inputs, compute)?;
        // Stages inside this one are part of its own time.
        self.account(|seconds| seconds.in_stages = before + start.elapsed().as_secs_f64());
        Ok(folder)
    }

    /// A [`stage`](Self::stage) whose time counts as the cell's own.
    pub(super) fn uncounted_stage(
        &self,
        name: &str,
        inputs: &impl Serialize,
        compute: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.shared.store.stage(name, inputs, |folder| {
            let made = self.with_its_code(|| compute(folder))?;
            Ok(made.code)
        })?;
        self.uses(&code_of_stage(&folder));
        Ok(folder)
    }

    /// What `make` makes, with the code that it comes from. Others who use it later depend on that code as well.
    ///
    /// If threads of a cell make several things at the same time, the code of one may be noted for another. Then
    /// `--fresh-code` computes more than it has to.
    fn with_its_code<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<OfCode<T>> {
        let before = std::mem::replace(&mut *self.noted(), self.store().code().clone());
        let value = make();
        let code = self.code();
        self.uses(&before);
        Ok(OfCode {
            value: Arc::new(value?),
            code,
        })
    }

    /// Notes that this cell uses what comes from this code.
    fn uses(&self, code: &Outside) {
        note_other(&mut self.noted(), code, self.store().code());
    }

    /// The code that this cell's work comes from, outside of the experiment's file: this program's, or that of an older
    /// stage that it uses.
    pub(crate) fn code(&self) -> Outside {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Outside> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the per-device singleton of type `T` with this name, created by `make` on first use.
    /// For data that every cell reads.
    ///
    /// # Errors
    /// If `make` fails.
    pub fn once<T: Send + Sync + 'static>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let made = self.on_device.once(name, || self.with_its_code(make))?;
        self.uses(&made.code);
        Ok(made.value.clone())
    }

    /// A bar of `len` steps below that of the sweep. It is removed when it is dropped.
    pub fn progress(&self, len: usize, label: &str) -> Progress {
        let log = self.cell.as_ref().map(|cell| cell.log.clone());
        self.shared.reporter.bar(len, label, log)
    }

    /// The images that are chosen by what the winners make of them. The answer is recorded: if it changes, the cell is
    /// tested again.
    ///
    /// # Errors
    /// While cells are fitted, because the winners are not known yet. As [`Consensus::choose`].
    pub(super) fn chosen(&self, images: ChosenByWinners) -> Result<Vec<u32>> {
        let consensus = self.consensus.as_deref().ok_or_else(|| {
            Error::invalid(
                "the images that every winner classifies correctly are known only after the selection: \
                 ask for them in `test` or `references`, not in `fit`",
            )
        })?;
        let chosen = consensus.choose(&images);
        if let Some(cell) = &self.cell {
            // A refusal too: the cell may handle it.
            let answer = Consensus::answer(&chosen)?;
            let asked = Asked { images, answer };
            let mut all = cell.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if !all.contains(&asked) {
                all.push(asked);
            }
        }
        chosen
    }

    /// What this cell asked for so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let asked = |cell: &OfCell| {
            let asked = cell.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.clone()
        };
        self.cell.as_ref().map(asked).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ndarray::Array3;

    use super::*;
    use crate::dataset::Dataset;

    /// A run of the program whose code has this fingerprint.
    fn run(out: &Path, code: &str, only_this_code: bool) -> Context {
        let store = Store::new(out, "toy").of_code(outside(code), only_this_code);
        let (devices, reporter) = (DeviceChoice::Flex.into(), Reporter::new(true, false));
        Context::open(Scale::Smoke, &devices, BUDGET, 1, store, reporter).unwrap()
    }

    fn outside(code: &str) -> Outside {
        [("xai-core", code), ("Cargo.lock", "same")]
            .map(|(name, code)| (name.to_owned(), code.to_owned()))
            .into()
    }

    fn cell(run: &Context, name: &str) -> Context {
        run.for_cell("toy", &name, None).unwrap()
    }

    fn images(context: &Context) -> Result<PathBuf> {
        context.stage("images", &0, |_| Ok(()))
    }

    #[test]
    fn every_cell_that_shares_what_old_code_made_belongs_to_that_code() {
        let out = tempfile::tempdir().unwrap();
        images(&run(out.path(), "old", false)).unwrap();
        let run = run(out.path(), "new", false);
        let once = |context: &Context| {
            let number = context.once("number", || images(context).map(|_| 1));
            number.unwrap()
        };
        let shared = |context: &Context| {
            let make = || {
                images(context)?;
                Dataset::grey(Array3::zeros((1, 2, 5)), vec![0])
            };
            context.shared("images", make).unwrap()
        };
        // Before the cells, as `prepare` does.
        once(&run);
        for name in ["first", "second"] {
            let cell = cell(&run, name);
            assert_eq!(cell.code(), outside("new"), "{name}");
            once(&cell);
            assert_eq!(cell.code(), outside("old"), "{name}, once");
        }
        for name in ["third", "fourth"] {
            let cell = cell(&run, name);
            shared(&cell);
            assert_eq!(cell.code(), outside("old"), "{name}, shared");
        }
        assert_eq!(cell(&run, "another").code(), outside("new"));
    }

    #[test]
    fn a_stage_made_from_an_old_one_belongs_to_the_old_code() {
        let out = tempfile::tempdir().unwrap();
        images(&run(out.path(), "old", false)).unwrap();
        let computed = Cell::new(0);
        let network = |context: &Context| {
            let compute = |_: &Path| {
                computed.set(computed.get() + 1);
                images(context).map(drop)
            };
            context.stage("pretraining", &0, compute).unwrap()
        };
        let next = run(out.path(), "new", false);
        // What a cell used before is not part of the stage.
        let first = cell(&next, "first");
        let other = first.stage("other", &0, |_| Ok(())).unwrap();
        network(&first);
        let after = first.stage("after", &0, |_| Ok(())).unwrap();
        assert_eq!(first.code(), outside("old"));
        for stage in [other, after] {
            assert_eq!(code_of_stage(&stage), outside("new"));
        }
        let later = cell(&run(out.path(), "new", false), "second");
        assert_eq!(code_of_stage(&network(&later)), outside("old"));
        assert_eq!((later.code(), computed.get()), (outside("old"), 1));

        let fresh = cell(&run(out.path(), "new", true), "third");
        network(&fresh);
        assert_eq!((fresh.code(), computed.get()), (outside("new"), 2));
    }
}
