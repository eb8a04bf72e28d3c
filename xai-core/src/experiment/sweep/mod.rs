//! How a sweep goes through its phases: fit every cell, select by validation, predict the test set
//! with the winners, and only then explain, on the images that all of them classify correctly.
//!
//! [`layout`] lays a sweep out, [`cell`] says what determines a cell, [`jobs`] takes the cells of a phase, [`work`] is what is done with one,
//! [`agreement`] is what the winners know together.

mod agreement;
mod cell;
mod jobs;
mod layout;
mod options;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::estimate::Remaining;
use super::lab::Lab;
use super::progress::Reporter;
use super::results::{Baseline, CellResult, SweepResult};
use super::run::Run;
use super::scores::read_scores;
use super::spec::Role;
use super::store::{MAPS, PREDICTIONS, SCORES};
use crate::error::{Error, Result};
use jobs::Phase;
use layout::plan_json;

pub(super) use agreement::Agreement;
pub(super) use cell::{Cell, scored};
pub(super) use jobs::cores;
pub(super) use layout::{Layout, PLAN};
pub use options::SweepOptions;
pub(super) use work::read_baselines;

/// What became of a sweep.
#[derive(Debug)]
pub struct Outcome {
    /// The result; `None` if only the plan was asked for or something failed.
    pub result: Option<SweepResult>,
    /// Cells that failed, with the reason.
    pub failures: Vec<Failure>,
    /// `<out>/<experiment>`; of a restricted run a folder in it.
    pub folder: PathBuf,
}

/// A phase and cell, and why it failed.
pub type Failure = (String, Error);

/// Runs an experiment, or what is not there yet of it.
///
/// Cells that fail are in the outcome; the others of the same phase go on, and later phases, which need
/// all of them, wait for the next run. Several processes may run the same sweep in the same folder:
/// they share the work.
///
/// # Errors
/// If the design cannot be laid out, the device or a file is not to be had, the disk is full, or on Ctrl-C.
pub fn sweep<R: Run>(options: &SweepOptions) -> Result<Outcome> {
    let reporter = Reporter::new(options.quiet, options.json);
    let layout = Layout::of::<R>(options, |problem| reporter.warn(&problem))?;
    let folder = layout.store.folder().to_owned();
    let remaining = Remaining::of(&layout, options);
    if options.plan_only {
        reporter.print(&remaining.cells(&layout));
    }
    reporter.print(&format!("{}{remaining}", layout.plan));
    if let Some(data) = &layout.data {
        reporter.print(&format!("  data      {data}\n"));
    }
    if let Some(weights) = &layout.weights {
        let path = weights.path().display();
        reporter.print(&format!("  weights   {path}: the full VGG-16\n"));
    }
    if let Some(part) = &layout.plan.restricted {
        reporter.print(&format!(
            "  only      {}: selected and compared among themselves, on images of their own;\n            \
             scores, table and figure go to {}\n",
            part.label,
            folder.display()
        ));
    }
    reporter.print("\n");
    if !options.plan_only {
        let lab = Lab::of_sweep(
            options.scale,
            &options.devices,
            options.memory,
            layout.store.clone(),
            reporter,
        )?
        .with_data(layout.data.clone())
        .with_weights(layout.weights.clone());
        // Bad scans show now, not in every cell.
        lab.subjects()?;
        return Sweep::<R> {
            record: plan_json(&layout, options),
            layout,
            lab,
            options,
            failures: Vec::new(),
            experiment: std::marker::PhantomData,
        }
        .run(&remaining);
    }
    reporter.event(|| remaining.event(&plan_json(&layout, options), &layout));
    Ok(Outcome {
        result: None,
        failures: Vec::new(),
        folder,
    })
}

/// A sweep under way.
struct Sweep<'a, R> {
    layout: Layout,
    lab: Lab,
    options: &'a SweepOptions,
    /// What `plan.json` says.
    record: Json,
    failures: Vec<Failure>,
    experiment: std::marker::PhantomData<R>,
}

impl<R: Run> Sweep<'_, R> {
    fn run(mut self, remaining: &Remaining) -> Result<Outcome> {
        self.lab
            .reporter()
            .event(|| remaining.event(&self.record, &self.layout));
        let folder = self.lab.store().folder().to_owned();
        self.lab.store().keep(PLAN, &self.record)?;
        let result = self.phases()?;
        Ok(Outcome {
            result,
            failures: self.failures,
            folder,
        })
    }

    /// The phases, with barriers between them; `None` if a cell failed.
    fn phases(&mut self) -> Result<Option<SweepResult>> {
        let all: Vec<usize> = (0..self.layout.cells.len()).collect();
        if !self.phase("fit", &all, work::is_fitted, work::fit::<R>)? {
            return Ok(None);
        }
        let winners = self.layout.winners()?;
        let seen = |cell: &Cell| cell.has(PREDICTIONS);
        if !self.phase("predict", &winners, seen, work::predict::<R>)? {
            return Ok(None);
        }
        let compared: Vec<_> = winners.iter().map(|&at| &self.layout.cells[at]).collect();
        let agreement = Agreement::of(self.lab.store(), &compared)?;
        let scored = scored::<R>(self.options, &agreement)?;
        self.lab = self.lab.with_agreement(Arc::new(agreement));
        let tested = |cell: &Cell| cell.is_tested(&scored);
        let test = |cell: &mut Cell, lab: &Lab| work::test::<R>(cell, lab, &scored);
        if !self.phase("test", &winners, tested, test)? {
            return Ok(None);
        }
        match work::baselines::<R>(self.layout.plan.name, &self.lab, &scored) {
            Ok((folder, baselines)) => {
                self.record_winners(&winners, &folder)?;
                let maps = folder.join(MAPS);
                self.result(&winners, baselines, maps).map(Some)
            }
            Err(error) if matches!(error, Error::Interrupted) || error.is_disk_full() => Err(error),
            Err(error) => {
                let reporter = self.lab.reporter();
                reporter.warn(&format!("failed: baselines: {error}"));
                self.failures.push(("baselines".to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Brings the cells `which` to where they are `done`; `false` if any of them failed.
    fn phase(
        &mut self,
        name: &'static str,
        which: &[usize],
        done: impl Fn(&Cell) -> bool + Sync,
        work: impl Fn(&mut Cell, &Lab) -> Result<()> + Sync,
    ) -> Result<bool> {
        let phase = Phase {
            name,
            experiment: self.layout.plan.name,
            done,
            work,
        };
        let cells = self.layout.cells.iter_mut().enumerate();
        let cells = cells
            .filter(|(at, _)| which.contains(at))
            .map(|(_, cell)| cell);
        let failures = phase.run(cells.collect(), &self.lab, self.options)?;
        let all_well = failures.is_empty();
        self.failures.extend(failures);
        Ok(all_well)
    }

    /// Says in `plan.json` which cells won and where the baselines are.
    fn record_winners(&mut self, winners: &[usize], baselines: &Path) -> Result<()> {
        for &winner in winners {
            self.record["cells"][winner]["winner"] = json!(true);
        }
        let stage = baselines.file_name().unwrap_or_default().to_string_lossy();
        self.record["baselines"] = json!(stage);
        self.record["finished"] = json!(true);
        self.lab.store().keep(PLAN, &self.record)
    }

    fn result(
        &self,
        winners: &[usize],
        baselines: Vec<Baseline>,
        baseline_maps: PathBuf,
    ) -> Result<SweepResult> {
        let cell = |&winner: &usize| {
            let cell = &self.layout.cells[winner];
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
                scores: read_scores(&self.lab.store().file(&cell.key, SCORES))?,
                maps: Some(self.lab.store().file(&cell.key, MAPS)),
            })
        };
        let factors = self.layout.plan.factors.iter();
        let axes = factors.filter(|factor| factor.role == Role::Axis);
        Ok(SweepResult {
            name: self.layout.plan.name.to_owned(),
            axes: axes
                .map(|axis| {
                    (
                        axis.name.to_owned(),
                        axis.levels.iter().map(ToString::to_string).collect(),
                    )
                })
                .collect(),
            cells: winners.iter().map(cell).collect::<Result<_>>()?,
            baselines,
            baseline_maps: Some(baseline_maps),
        })
    }
}
