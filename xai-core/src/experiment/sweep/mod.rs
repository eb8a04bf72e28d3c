//! How a sweep goes through its phases: fit every cell, select by validation, predict the test set
//! with the winners, and only then explain, on the images that all of them classify correctly.
//!
//! [`cell`] says what determines a cell, [`jobs`] takes the cells of a phase, [`work`] is what is done with one,
//! [`agreement`] is what the winners know together.

mod agreement;
mod cell;
mod jobs;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::data::Data;
use super::estimate::Remaining;
use super::lab::{BUDGET, Lab};
use super::plan::Plan;
use super::progress::Reporter;
use super::provenance::provenance;
use super::restrict::Restriction;
use super::results::{Baseline, CellResult, SweepResult};
use super::run::Run;
use super::scores::read_scores;
use super::select::winners;
use super::settings::Settings;
use super::spec::{Role, Scale, Spec};
use super::store::{MAPS, PREDICTIONS, SCORES, Store};
use super::weights::Weights;
use crate::attribution::Memory;
use crate::device::Devices;
use crate::error::{Error, Result};

pub(super) use agreement::Agreement;
pub(super) use cell::{Cell, cells, scored, values};
use jobs::Phase;
pub(super) use jobs::cores;
pub(super) use work::read_baselines;

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
    /// A folder of real scans, in place of synthetic subjects.
    pub data: Option<PathBuf>,
    /// Weights of a VGG-16 that was pre-trained on ImageNet: the corpus `imagenet` in place of `shapes`, and
    /// the paper's full network at every scale.
    pub weights: Option<PathBuf>,
    /// Leaves out scans that cannot be used instead of failing.
    pub skip_bad: bool,
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
    /// Prints events for programs, a line of JSON each, instead of text.
    pub json: bool,
}

impl SweepOptions {
    /// What the scale means in numbers, and the network in use.
    pub(super) fn settings(&self) -> Settings {
        let settings = Settings::at(self.scale);
        match self.weights {
            Some(_) => settings.with_full_network(),
            None => settings,
        }
    }
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            scale: Scale::default(),
            devices: Devices::default(),
            jobs: 1,
            out: PathBuf::from("runs"),
            data: None,
            weights: None,
            skip_bad: false,
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

/// A sweep before anything is computed.
pub(super) struct Layout {
    pub spec: Spec,
    pub plan: Plan,
    pub store: Store,
    pub cells: Vec<Cell>,
    pub data: Option<Arc<Data>>,
    pub weights: Option<Arc<Weights>>,
}

impl Layout {
    /// Lays out what the options ask for and looks up what is there.
    pub fn of<R: Run>(options: &SweepOptions, warn: impl Fn(String)) -> Result<Self> {
        let spec = R::spec();
        let has_weights = options.weights.is_some();
        let plan = Plan::restricted(&spec, options.scale, has_weights, &options.restriction)?;
        if !options.restriction.set.is_empty() {
            // A design lays out numbers without their types, such as a negative one for a u64.
            for point in &plan.cells {
                std::panic::catch_unwind(|| drop(R::at(point))).map_err(|_| {
                    Error::invalid(format!(
                        "a value of --set does not fit its parameter's type: {point}"
                    ))
                })?;
            }
        }
        let mut store = Store::new(&options.out, spec.name);
        if let Some(restricted) = &plan.restricted {
            store = store.restricted(&restricted.label);
        }
        if options.fresh {
            store = store.without_old_stages();
        }
        let data = match &options.data {
            Some(folder) => Some(Arc::new(Data::open(folder, options.skip_bad)?)),
            None => None,
        };
        let weights = match &options.weights {
            Some(file) => Some(Arc::new(Weights::open(file, &options.settings())?)),
            None => None,
        };
        let given = (data.as_deref(), weights.as_deref());
        let cells = cells::<R>(&plan, options, given, &store, warn)?;
        Ok(Self {
            spec,
            plan,
            store,
            cells,
            data,
            weights,
        })
    }

    /// The winners among the cells, by index; all of them must be fitted.
    pub fn winners(&self) -> Result<Vec<usize>> {
        let measured: Vec<_> = self
            .cells
            .iter()
            .filter_map(|cell| Some((&cell.point, &cell.manifest.as_ref()?.validation)))
            .collect();
        if measured.len() < self.cells.len() {
            return Err(Error::invalid(
                "models have gone since they were fitted; run the same command again",
            ));
        }
        winners(&self.spec, &measured)
    }
}

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

/// The file that says what a sweep is.
pub(super) const PLAN: &str = "plan.json";

/// What `plan.json` holds before the run.
fn plan_json(layout: &Layout, options: &SweepOptions) -> Json {
    let plan = &layout.plan;
    let cells: Vec<_> = layout
        .cells
        .iter()
        .map(|cell| {
            json!({ "key": cell.key, "cell": cell.point.to_string(), "values": values(&cell.point),
                "winner": false })
        })
        .collect();
    json!({
        "experiment": plan.name,
        "description": layout.spec.description,
        "command": std::env::args().collect::<Vec<_>>(),
        "code": provenance(),
        "device": options.devices.to_string(),
        "scale": plan.scale,
        "settings": options.settings(),
        "data": options.data,
        "weights": options.weights,
        "restricted": plan.restricted,
        "finished": false,
        "factors": plan.factors,
        "cells": cells,
        "baselines": null,
        "skipped": plan.skipped,
    })
}
