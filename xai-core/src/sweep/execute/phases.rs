//! The phases of a sweep: fit every cell, select by validation, predict the test set with the
//! winners, and only then explain, on the images that all winners classify correctly.
//!
//! [`queue`](super::queue) distributes the cells of a phase. [`work`] has the work on one cell.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;

use super::queue::{Failure, Phase};
use super::slurm::job_of_another_plan;
use super::work::{self, Work};
use crate::error::{Error, Result};
use crate::process::peak_memory;
use crate::sweep::context::{Context, Opened, Run};
use crate::sweep::declare::Role;
use crate::sweep::inspect::Remaining;
use crate::sweep::keep::{Claim, MAPS, PLAN, PREDICTIONS, Reference, SCORES, Sources, read_scores};
use crate::sweep::planned::{
    Agreed, PlanFile, PlannedCell, PlannedSweep, SweepOptions, agreed, classes, consensus,
};
use crate::sweep::read::{Axis, CellResult, RegressionResult, SweepResult};
use crate::sweep::watch::Reporter;

/// How often the winners are tested if other processes test them with other settings in between. Each of those tests a
/// cell once, and then waits until this process has ended.
const ATTEMPTS: usize = 10;

/// The outcome of a sweep.
#[derive(Debug)]
pub struct Outcome {
    /// The result. `None` if only the plan was requested or something failed.
    pub result: Option<SweepResult>,
    /// The failed cells, with the reasons.
    pub failures: Vec<Failure>,
    /// `<out>/<experiment>`, or a folder in it for a restricted run.
    pub folder: PathBuf,
    /// As long as it is held, `plan.json` in the folder is that of this result.
    pub(crate) claim: Option<Claim>,
    /// The files of the winners that the result was read from.
    sources: Sources,
}

impl Outcome {
    /// Checks that whoever has read files of the winners since the sweep has read those of its result.
    ///
    /// # Errors
    /// If another process has replaced any of them.
    pub(crate) fn check_sources(&self) -> Result<()> {
        if self.sources.are_unchanged() {
            Ok(())
        } else {
            Err(disturbed(&self.folder))
        }
    }
}

/// Other processes have tested the same cells in their way.
fn disturbed(folder: &Path) -> Error {
    Error::file(
        folder,
        "another process tests the same cells with other settings, such as another number of explained images, so scores \
         of both would be mixed; run this command again when it has ended, or in another folder by --out",
    )
}

/// Runs an experiment. Work that is already done is not repeated.
///
/// Failed cells are listed in the outcome. The other cells of the same phase are finished. Later
/// phases need all of them, so they wait for the next run. Several processes may run the same sweep
/// in the same folder and share the work.
///
/// # Errors
/// If the design cannot be laid out, if the device or a file is not available, if the disk is full, if jobs of another plan
/// run in the same folder, if other processes keep testing the same cells with other settings, or on Ctrl-C.
pub fn sweep<R: Run>(options: &SweepOptions, benchmark: &R::Benchmark) -> Result<Outcome> {
    let outcome = sweep_of(&Opened::<R>::new(benchmark.clone()), options)?;
    // The caller may keep the outcome and run the same sweep again, which would wait for ever.
    Ok(Outcome {
        claim: None,
        ..outcome
    })
}

/// As [`sweep`]. No other process replaces the plan as long as the caller keeps the outcome.
pub(crate) fn sweep_of(study: &dyn Work, options: &SweepOptions) -> Result<Outcome> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn_once(&problem))?;
    let folder = planned.store.folder().to_owned();
    let remaining = Remaining::of(study, &planned, options);
    if options.plan_only {
        reporter.print(&remaining.cells(&planned));
    }
    reporter.print(&format!("{}{remaining}", planned.plan));
    reporter.print(&format!(
        "  memory    {}, or what the networks need if that is more\n",
        options.memory
    ));
    for (what, text) in study.about() {
        reporter.print(&format!("  {what:8}  {text}\n"));
    }
    if let Some(part) = &planned.plan.restricted {
        reporter.print(&format!(
            "  only      {}: selected and compared among themselves, on their own images;\n            \
             scores, table and figure go to {}\n",
            part.label,
            folder.display()
        ));
    }
    reporter.print("\n");
    let other_code = planned.other_code();
    if let Some(line) = &other_code {
        reporter.warn(line);
    }
    let record = PlanFile::new(study, &planned, options);
    if options.plan_only {
        reporter.event(|| remaining.event(&record, &planned));
        return Ok(Outcome {
            result: None,
            failures: Vec::new(),
            folder,
            claim: None,
            sources: Sources::default(),
        });
    }
    // Where Slurm cannot be asked, nobody knows of a job, and the folder may be a copy.
    if let Ok(Some(error)) = job_of_another_plan(study, &planned) {
        return Err(error);
    }
    Sweep::start(study, planned, reporter, options, record)?.run(&remaining, other_code)
}

/// A running sweep.
pub(super) struct Sweep<'a> {
    study: &'a dyn Work,
    pub planned: PlannedSweep,
    context: Context,
    options: &'a SweepOptions,
    record: PlanFile,
    pub failures: Vec<Failure>,
    /// Made when the winners are tested.
    claim: Option<Claim>,
}

/// The winners after all phases.
struct Tested {
    /// Their positions in the plan.
    winners: Vec<usize>,
    /// What their scores depend on.
    agreed: Agreed,
    /// The stage of the references.
    folder: PathBuf,
    references: Vec<Reference>,
}

impl<'a> Sweep<'a> {
    /// Opens the devices and checks the files.
    pub fn start(
        study: &'a dyn Work,
        planned: PlannedSweep,
        reporter: Reporter,
        options: &'a SweepOptions,
        record: PlanFile,
    ) -> Result<Self> {
        planned.store.clear_leftovers();
        let (scale, store) = (options.scale, planned.store.clone());
        let (memory, jobs) = (options.memory, options.jobs);
        let context = Context::open(scale, &options.devices, memory, jobs, store, reporter)?;
        study.prepare(&context)?;
        Ok(Self {
            study,
            record,
            planned,
            context,
            options,
            failures: Vec::new(),
            claim: None,
        })
    }

    /// Runs all phases. `other_code` is what was said about code that has changed.
    fn run(mut self, remaining: &Remaining, other_code: Option<String>) -> Result<Outcome> {
        self.context
            .reporter()
            .event(|| remaining.event(&self.record, &self.planned));
        let folder = self.context.store().folder().to_owned();
        let claim = self.claim_reports()?;
        self.keep_plan()?;
        drop(claim);
        let (result, sources) = self.phases()?.unzip();
        self.warn_of_memory();
        // New cells may use old stages.
        if let Some(line) = self
            .planned
            .other_code()
            .filter(|line| other_code.as_ref() != Some(line))
        {
            self.context.reporter().warn(&line);
        }
        Ok(Outcome {
            result,
            failures: self.failures,
            folder,
            claim: self.claim,
            sources: sources.unwrap_or_default(),
        })
    }

    /// Warns if the process has used more memory than it should.
    fn warn_of_memory(&self) {
        let most = self.options.memory;
        if let Some(peak) = peak_memory().filter(|&peak| peak > most.bytes()) {
            self.context.reporter().warn(&format!(
                "this process used up to {}, more than --memory {most}: networks and what is being computed need their own \
                 room; `--jobs 1` uses the least",
                HumanBytes(peak as u64)
            ));
        }
    }

    /// The result, and the files of the winners that it was read from; `None` if a cell failed.
    ///
    /// Another process may have tested winners again in the meantime, such as with another number of explained images.
    /// A result must not mix scores of both, so each winner is looked up again after all are tested.
    fn phases(&mut self) -> Result<Option<(SweepResult, Sources)>> {
        for _ in 0..ATTEMPTS {
            let Some(tested) = self.tested()? else {
                return Ok(None);
            };
            // Others wait for it after their tests. So what is tested again now stays.
            if self.claim.is_none() {
                self.claim = self.claim_reports()?;
            }
            if !self.finds_again(&tested) {
                continue;
            }
            let sources = self.sources(&tested.winners);
            let result = self.result(&tested);
            if sources.are_unchanged() {
                let result = result?;
                self.record_winners(&tested)?;
                return Ok(Some((result, sources)));
            }
        }
        Err(disturbed(self.context.store().folder()))
    }

    /// The winners after the phases, with barriers between them; `None` if a cell failed.
    fn tested(&mut self) -> Result<Option<Tested>> {
        let all: Vec<usize> = (0..self.planned.cells.len()).collect();
        if !self.fit(&all)? {
            return Ok(None);
        }
        // The images for training are not needed any more.
        self.context.forget_shared();
        let winners = self.planned.winners()?;
        if !self.predict(&winners)? {
            return Ok(None);
        }
        let agreed = self.agree(&winners)?;
        if !self.test(&winners, &agreed)? {
            return Ok(None);
        }
        let references = self
            .study
            .references(self.planned.plan.name, &self.context, &agreed);
        match references {
            Ok((folder, references)) => Ok(Some(Tested {
                winners,
                agreed,
                folder,
                references,
            })),
            Err(error) if matches!(error, Error::Interrupted) || error.is_disk_full() => Err(error),
            Err(error) => {
                let reporter = self.context.reporter();
                reporter.warn(&format!("failed: references: {error}"));
                self.failures.push(("references".to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Whether the winners on disk are those that were tested, with scores as this run computes them.
    fn finds_again(&mut self, tested: &Tested) -> bool {
        let store = self.context.store().clone();
        for &winner in &tested.winners {
            // What is damaged is told when it is computed again.
            self.planned.cells[winner].refresh(&store, &|_| ());
        }
        let winners = self.planned.winners();
        let agreed = self.planned.agreed(self.study);
        let is_tested = |&at: &usize| self.planned.cells[at].is_tested(&tested.agreed);
        winners.is_ok_and(|winners| winners == tested.winners)
            && agreed.is_some_and(|agreed| agreed.consensus == tested.agreed.consensus)
            && tested.winners.iter().all(is_tested)
    }

    /// The files of the winners, whose manifests were found.
    fn sources(&self, winners: &[usize]) -> Sources {
        let mut sources = Sources::default();
        for &winner in winners {
            if let Some(manifest) = &self.planned.cells[winner].manifest {
                sources.extend(self.context.store().sources(manifest));
            }
        }
        sources
    }

    /// Computes the stages that these cells share with others.
    pub fn stages(&mut self, which: &[usize]) -> Result<bool> {
        let study = self.study;
        let work = |cell: &mut PlannedCell, context: &Context| work::stages(study, cell, context);
        self.phase("stages", which, &work::is_fitted, &work)
    }

    /// Fits these cells. Returns `false` if any of them failed; so do the next phases.
    pub fn fit(&mut self, which: &[usize]) -> Result<bool> {
        let study = self.study;
        let work = |cell: &mut PlannedCell, context: &Context| study.fit(cell, context);
        self.phase("fit", which, &work::is_fitted, &work)
    }

    /// Predicts the test set with these winners.
    pub fn predict(&mut self, which: &[usize]) -> Result<bool> {
        let study = self.study;
        let seen = |cell: &PlannedCell| cell.has(PREDICTIONS);
        let work = |cell: &mut PlannedCell, context: &Context| study.predict(cell, context);
        self.phase("predict", which, &seen, &work)
    }

    /// Finds the images that all winners classify correctly. Returns what scores depend on.
    pub fn agree(&mut self, winners: &[usize]) -> Result<Agreed> {
        let compared: Vec<_> = winners.iter().map(|&at| &self.planned.cells[at]).collect();
        let consensus = consensus(self.context.store(), &compared)?;
        let agreed = agreed(self.study, consensus);
        self.context = self.context.with_consensus(agreed.consensus.clone());
        Ok(agreed)
    }

    /// Explains with these winners.
    pub fn test(&mut self, which: &[usize], agreed: &Agreed) -> Result<bool> {
        let study = self.study;
        let tested = |cell: &PlannedCell| cell.is_tested(agreed);
        let work = |cell: &mut PlannedCell, context: &Context| {
            let scored = cell.scored(&agreed.scored);
            study.test(cell, context, &scored)
        };
        self.phase("test", which, &tested, &work)
    }

    /// Completes a phase for the cells `which`. Returns `false` if any of them failed.
    fn phase(
        &mut self,
        name: &'static str,
        which: &[usize],
        done: &(dyn Fn(&PlannedCell) -> bool + Sync),
        work: &(dyn Fn(&mut PlannedCell, &Context) -> Result<()> + Sync),
    ) -> Result<bool> {
        let phase = Phase {
            name,
            experiment: self.planned.plan.name,
            done,
            work,
        };
        let which: HashSet<_> = which.iter().copied().collect();
        let cells = self.planned.cells.iter_mut().enumerate();
        let cells = cells.filter(|(at, _)| which.contains(at));
        let cells = cells.map(|(_, cell)| cell).collect();
        let failures = phase.run(cells, &self.context, self.options)?;
        let all_well = failures.is_empty();
        self.failures.extend(failures);
        Ok(all_well)
    }

    /// Records the winners and the folder of the references in `plan.json`. The analysis reads it.
    fn record_winners(&mut self, tested: &Tested) -> Result<()> {
        let stage = tested.folder.file_name().unwrap_or_default();
        let other_code = self.planned.other_code();
        self.record
            .finish(&tested.winners, &stage.to_string_lossy(), other_code);
        self.keep_plan()
    }

    /// Keeps others from replacing `plan.json`.
    fn claim_reports(&self) -> Result<Option<Claim>> {
        self.unless_read_only(self.context.store().claim_reports())
    }

    /// Writes `plan.json`.
    fn keep_plan(&self) -> Result<()> {
        let store = self.context.store();
        let kept = self.record.keep(store, &self.planned.cells);
        self.unless_read_only(kept).map(drop)
    }

    /// A finished run may be in a read-only folder. If work is left to do there, it fails with its own error.
    fn unless_read_only<T>(&self, done: Result<T>) -> Result<Option<T>> {
        let finished = || self.context.store().folder().join(PLAN).exists();
        match done {
            Err(error) if error.is_read_only() && finished() => Ok(None),
            done => done.map(Some),
        }
    }

    /// The result, from the manifests that were found last and the files that they list.
    fn result(&self, tested: &Tested) -> Result<SweepResult> {
        let store = self.context.store();
        let cell = |&winner: &usize| {
            let cell = &self.planned.cells[winner];
            let manifest = cell.manifest.as_ref().expect("winners are fitted");
            Ok(CellResult {
                values: cell
                    .point
                    .values()
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.to_string()))
                    .collect(),
                test_set: manifest.test_set.clone(),
                validation_accuracy: manifest.validation.accuracy,
                test_accuracy: manifest.test_accuracy.unwrap_or(f64::NAN),
                regression: manifest.test_errors.map(|test| RegressionResult {
                    validation: manifest.validation,
                    test,
                }),
                scores: read_scores(&store.intact(manifest, SCORES)?)?,
                maps: Some(store.file(&cell.key, MAPS)),
            })
        };
        let factors = self.planned.plan.factors.iter();
        let axes = factors.filter(|factor| factor.role == Role::Axis);
        Ok(SweepResult {
            name: self.planned.plan.name.to_owned(),
            axes: axes.map(|axis| Axis::of(axis.name, &axis.levels)).collect(),
            cells: tested.winners.iter().map(cell).collect::<Result<_>>()?,
            references: tested.references.clone(),
            reference_maps: Some(tested.folder.join(MAPS)),
            classes: classes(tested.winners.iter().map(|&at| &self.planned.cells[at])),
        })
    }
}
