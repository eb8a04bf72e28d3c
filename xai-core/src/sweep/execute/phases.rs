//! The phases of a sweep: fit every cell, select by validation, predict the test set with the
//! winners, and only then explain, on the images that all winners classify correctly.
//!
//! [`queue`](super::queue) distributes the cells of a phase. [`work`] has the work on one cell.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::queue::{Failure, Phase};
use super::work;
use crate::error::{Error, Result};
use crate::sweep::context::{Benchmark, Context, Lab, Run};
use crate::sweep::declare::Role;
use crate::sweep::inspect::Remaining;
use crate::sweep::keep::{MAPS, PLAN, PREDICTIONS, Reference, SCORES, read_scores};
use crate::sweep::planned::{
    PlannedCell, PlannedSweep, SweepOptions, consensus, plan_json, scored,
};
use crate::sweep::read::{CellResult, SweepResult};
use crate::sweep::watch::Reporter;

/// The outcome of a sweep.
#[derive(Debug)]
pub struct Outcome {
    /// The result. `None` if only the plan was requested or something failed.
    pub result: Option<SweepResult>,
    /// The failed cells, with the reasons.
    pub failures: Vec<Failure>,
    /// `<out>/<experiment>`, or a folder in it for a restricted run.
    pub folder: PathBuf,
}

/// Runs an experiment. Work that is already done is not repeated.
///
/// Failed cells are listed in the outcome. The other cells of the same phase are finished. Later
/// phases need all of them, so they wait for the next run. Several processes may run the same sweep
/// in the same folder and share the work.
///
/// # Errors
/// If the design cannot be laid out, if the device or a file is not available, if the disk is full,
/// or on Ctrl-C.
pub fn sweep<R: Run>(options: &SweepOptions, benchmark: &R::Benchmark) -> Result<Outcome> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of::<R>(options, benchmark, |problem| reporter.warn(&problem))?;
    let folder = planned.store.folder().to_owned();
    let remaining = Remaining::of(&planned, options);
    if options.plan_only {
        reporter.print(&remaining.cells(&planned));
    }
    reporter.print(&format!("{}{remaining}", planned.plan));
    for (what, text) in benchmark.about() {
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
    let record = plan_json(&planned, options);
    if options.plan_only {
        reporter.event(|| remaining.event(&record, &planned));
        return Ok(Outcome {
            result: None,
            failures: Vec::new(),
            folder,
        });
    }
    let (scale, store) = (options.scale, planned.store.clone());
    let context = Context::open(scale, &options.devices, options.memory, store, reporter)?;
    benchmark.prepare(&context)?;
    Sweep::<R> {
        record,
        planned,
        context,
        options,
        failures: Vec::new(),
    }
    .run(&remaining)
}

/// A running sweep.
struct Sweep<'a, R: Run> {
    planned: PlannedSweep<R::Benchmark>,
    context: Context,
    options: &'a SweepOptions,
    /// The content of `plan.json`.
    record: Json,
    failures: Vec<Failure>,
}

impl<R: Run> Sweep<'_, R> {
    fn run(mut self, remaining: &Remaining) -> Result<Outcome> {
        self.context
            .reporter()
            .event(|| remaining.event(&self.record, &self.planned));
        let folder = self.context.store().folder().to_owned();
        self.keep_plan()?;
        let result = self.phases()?;
        Ok(Outcome {
            result,
            failures: self.failures,
            folder,
        })
    }

    /// The phases, with barriers between them; `None` if a cell failed.
    fn phases(&mut self) -> Result<Option<SweepResult>> {
        let all: Vec<usize> = (0..self.planned.cells.len()).collect();
        let benchmark = self.planned.benchmark.clone();
        let fit =
            |cell: &mut PlannedCell, context: &Context| work::fit::<R>(cell, context, &benchmark);
        if !self.phase("fit", &all, work::is_fitted, fit)? {
            return Ok(None);
        }
        let winners = self.planned.winners()?;
        let seen = |cell: &PlannedCell| cell.has(PREDICTIONS);
        let predict = |cell: &mut PlannedCell, context: &Context| {
            work::predict::<R>(cell, context, &benchmark)
        };
        if !self.phase("predict", &winners, seen, predict)? {
            return Ok(None);
        }
        let compared: Vec<_> = winners.iter().map(|&at| &self.planned.cells[at]).collect();
        let consensus = consensus(self.context.store(), &compared)?;
        let scored = scored::<R>(&benchmark, &consensus)?;
        self.context = self.context.with_consensus(Arc::new(consensus));
        let tested = |cell: &PlannedCell| cell.is_tested(&scored);
        let test = |cell: &mut PlannedCell, context: &Context| {
            work::test::<R>(cell, context, &benchmark, &scored)
        };
        if !self.phase("test", &winners, tested, test)? {
            return Ok(None);
        }
        let lab = Lab::new(self.context.clone(), benchmark.clone());
        match work::references::<R>(self.planned.plan.name, &lab, &scored) {
            Ok((folder, references)) => {
                self.record_winners(&winners, &folder)?;
                let maps = folder.join(MAPS);
                self.result(&winners, references, maps).map(Some)
            }
            Err(error) if matches!(error, Error::Interrupted) || error.is_disk_full() => Err(error),
            Err(error) => {
                let reporter = self.context.reporter();
                reporter.warn(&format!("failed: references: {error}"));
                self.failures.push(("references".to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Completes a phase for the cells `which`. Returns `false` if any of them failed.
    fn phase(
        &mut self,
        name: &'static str,
        which: &[usize],
        done: impl Fn(&PlannedCell) -> bool + Sync,
        work: impl Fn(&mut PlannedCell, &Context) -> Result<()> + Sync,
    ) -> Result<bool> {
        let phase = Phase {
            name,
            experiment: self.planned.plan.name,
            done,
            work,
        };
        let cells = self.planned.cells.iter_mut().enumerate();
        let cells = cells
            .filter(|(at, _)| which.contains(at))
            .map(|(_, cell)| cell);
        let failures = phase.run(cells.collect(), &self.context, self.options)?;
        let all_well = failures.is_empty();
        self.failures.extend(failures);
        Ok(all_well)
    }

    /// Records the winners and the folder of the references in `plan.json`.
    fn record_winners(&mut self, winners: &[usize], references: &Path) -> Result<()> {
        for &winner in winners {
            self.record["cells"][winner]["winner"] = json!(true);
        }
        let stage = references.file_name().unwrap_or_default().to_string_lossy();
        self.record["baselines"] = json!(stage);
        self.record["finished"] = json!(true);
        self.keep_plan()
    }

    /// Writes `plan.json`. A finished run may be in a read-only folder. If work is left to do there, it
    /// fails with its own error.
    fn keep_plan(&self) -> Result<()> {
        let store = self.context.store();
        match store.keep(PLAN, &self.record) {
            Err(error) if error.is_read_only() && store.folder().join(PLAN).exists() => Ok(()),
            kept => kept,
        }
    }

    fn result(
        &self,
        winners: &[usize],
        references: Vec<Reference>,
        reference_maps: PathBuf,
    ) -> Result<SweepResult> {
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
                validation_accuracy: manifest.validation.accuracy,
                test_accuracy: manifest
                    .test_accuracy
                    .expect("winners have seen the test set"),
                scores: read_scores(&self.context.store().file(&cell.key, SCORES))?,
                maps: Some(self.context.store().file(&cell.key, MAPS)),
            })
        };
        let factors = self.planned.plan.factors.iter();
        let axes = factors.filter(|factor| factor.role == Role::Axis);
        Ok(SweepResult {
            name: self.planned.plan.name.to_owned(),
            axes: axes
                .map(|axis| {
                    (
                        axis.name.to_owned(),
                        axis.levels.iter().map(ToString::to_string).collect(),
                    )
                })
                .collect(),
            cells: winners.iter().map(cell).collect::<Result<_>>()?,
            references,
            reference_maps: Some(reference_maps),
            classes: self.planned.benchmark.classes(),
        })
    }
}
