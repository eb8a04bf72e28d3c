//! How a sweep goes through its phases.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;

use super::data::{Data, with_data};
use super::key::Key;
use super::lab::Lab;
use super::plan::Plan;
use super::progress::{Progress, Reporter, check_interrupt};
use super::results::{Baseline, CellResult, SweepResult};
use super::run::{Fitted, Model, Run};
use super::scores::{Predictions, read_scores, write_scores};
use super::select::winners;
use super::settings::{FIT_CODE, Settings, TEST_CODE};
use super::spec::{Point, Role, Scale, Spec};
use super::store::{MODEL, Manifest, PREDICTIONS, SCORES, Status, Store, write_json};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};

/// How to run a sweep.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// How large.
    pub scale: Scale,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Cells computed at a time, each with its share of the cores. Results do not depend on it.
    pub jobs: usize,
    /// The folder of all runs.
    pub out: PathBuf,
    /// A folder of real scans, in place of synthetic subjects.
    pub data: Option<PathBuf>,
    /// Leaves out scans that cannot be used instead of failing.
    pub skip_bad: bool,
    /// Computes every cell again.
    pub fresh: bool,
    /// Prints the plan and stops.
    pub plan_only: bool,
    /// Prints nothing but warnings.
    pub quiet: bool,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            scale: Scale::default(),
            device: DeviceChoice::default(),
            jobs: 1,
            out: PathBuf::from("runs"),
            data: None,
            skip_bad: false,
            fresh: false,
            plan_only: false,
            quiet: false,
        }
    }
}

/// What became of a sweep.
#[derive(Debug)]
pub struct Outcome {
    /// The result; `None` if only the plan was asked for or something failed.
    pub result: Option<SweepResult>,
    /// Cells that failed, with the reason.
    pub failures: Vec<(String, Error)>,
    /// `<out>/<experiment>`.
    pub folder: PathBuf,
}

/// Runs an experiment, or what is not there yet of it.
///
/// Cells that fail are in the outcome; the others of the same phase go on, and later phases, which need
/// all of them, wait for the next run.
///
/// # Errors
/// If the design cannot be laid out, the device or a file is not to be had, or on Ctrl-C.
pub fn sweep<R: Run>(options: &SweepOptions) -> Result<Outcome> {
    let spec = R::spec();
    let plan = Plan::new(&spec, options.scale)?;
    let store = Store::new(&options.out, spec.name);
    let reporter = Reporter::new(options.quiet);
    let data = options
        .data
        .as_ref()
        .map(|folder| Data::open(folder, options.skip_bad))
        .transpose()?;
    let cells = cells::<R>(&plan, options, data.as_ref(), &store, &reporter)?;

    reporter.print(&plan.to_string());
    if let Some(data) = &data {
        reporter.print(&format!("  data      {data}\n"));
    }
    reporter.print(&format!("{}\n", finished(&cells)));
    if options.plan_only {
        return Ok(Outcome {
            result: None,
            failures: Vec::new(),
            folder: store.folder().to_owned(),
        });
    }

    let lab = Lab::of_sweep(options.scale, options.device, store, reporter)?.with_data(data);
    // Bad scans show now, not in every cell.
    lab.subjects()?;
    let mut sweep = Sweep::<R> {
        spec,
        plan,
        cells,
        lab,
        failures: Vec::new(),
        jobs: options.jobs,
        experiment: std::marker::PhantomData,
    };
    sweep.keep_plan()?;
    let result = sweep.phases()?;
    Ok(Outcome {
        result,
        failures: sweep.failures,
        folder: sweep.lab.store().folder().to_owned(),
    })
}

/// A point of the design and what is known about it.
struct Cell {
    point: Point,
    key: Key,
    inputs: serde_json::Value,
    manifest: Option<Manifest>,
}

impl Cell {
    /// Whether a file is there and sound.
    fn has(&self, file: &str) -> bool {
        self.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.files.contains_key(file))
    }

    fn manifest(&mut self) -> &mut Manifest {
        self.manifest
            .as_mut()
            .expect("every phase after the first has fitted cells only")
    }
}

/// The cells of a plan with their keys and what the store has of them.
fn cells<R: Run>(
    plan: &Plan,
    options: &SweepOptions,
    data: Option<&Data>,
    store: &Store,
    reporter: &Reporter,
) -> Result<Vec<Cell>> {
    let settings = Settings::at(options.scale);
    let cell = |point: &Point| {
        let inputs = json!({
            "experiment": plan.name,
            "values": values(point),
            "scale": options.scale,
            "settings": settings,
            "device": options.device.kind(),
            "code": [FIT_CODE, R::FIT_VERSION],
        });
        let inputs = with_data(inputs, data);
        let key = Key::of(&inputs)?;
        let manifest = if options.fresh {
            None
        } else {
            store.find(&key, |problem| reporter.warn(&problem))
        };
        Ok(Cell {
            point: point.clone(),
            key,
            inputs,
            manifest,
        })
    };
    plan.cells.iter().map(cell).collect()
}

/// The values by name.
fn values(point: &Point) -> serde_json::Value {
    point
        .values()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

fn finished(cells: &[Cell]) -> String {
    let count = |file| cells.iter().filter(|cell| cell.has(file)).count();
    format!(
        "  finished  {} of {} cells fitted, {} tested\n",
        count(MODEL),
        cells.len(),
        count(SCORES)
    )
}

/// A sweep under way.
struct Sweep<R> {
    spec: Spec,
    plan: Plan,
    cells: Vec<Cell>,
    lab: Lab,
    failures: Vec<(String, Error)>,
    jobs: usize,
    experiment: std::marker::PhantomData<R>,
}

/// The processor's cores, as far as this process may use them.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Cells in an order in which jobs that take the next one each are far apart in the design, so that
/// they begin with different shared stages instead of waiting for one.
fn spread(todo: &[usize], jobs: usize) -> Vec<usize> {
    let stretch = todo.len().div_ceil(jobs);
    (0..stretch)
        .flat_map(|at| todo.iter().skip(at).step_by(stretch).copied())
        .collect()
}

/// One phase under way: what its jobs share.
struct Phase<'a, W> {
    name: &'a str,
    experiment: &'static str,
    lab: &'a Lab,
    bar: Progress,
    total: usize,
    queue: Mutex<VecDeque<&'a mut Cell>>,
    finished: AtomicUsize,
    failures: Mutex<Vec<(String, Error)>>,
    work: W,
}

impl<W: Fn(&mut Cell, &Lab) -> Result<()>> Phase<'_, W> {
    /// One job: the next cell, until there is none.
    fn run(&self) -> Result<()> {
        loop {
            check_interrupt()?;
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(cell) = queue.pop_front() else {
                return Ok(());
            };
            drop(queue);
            self.work_on(cell)?;
        }
    }

    fn work_on(&self, cell: &mut Cell) -> Result<()> {
        let title = format!("{} {}", self.name, cell.point);
        self.bar.label(&title);
        let lab = self.lab.for_cell(self.experiment, &values(&cell.point))?;
        let start = Instant::now();
        // A panic, such as a GPU that runs out of memory, costs one cell and not the sweep.
        let outcome =
            catch_unwind(AssertUnwindSafe(|| (self.work)(cell, &lab))).unwrap_or_else(|payload| {
                Err(Error::invalid(format!("panicked: {}", panic_text(payload))))
            });
        let reporter = self.lab.reporter();
        match outcome {
            Ok(()) => {
                let finished = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
                reporter.finished(&format!(
                    "{title}: {finished} of {} in {:.1} s",
                    self.total,
                    start.elapsed().as_secs_f64()
                ));
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                reporter.warn(&format!("failed: {title}: {error}"));
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push((title, error));
            }
        }
        self.bar.tick()
    }
}

impl<R: Run> Sweep<R> {
    /// The phases, with barriers between them; `None` if a cell failed.
    fn phases(&mut self) -> Result<Option<SweepResult>> {
        let all = (0..self.cells.len())
            .filter(|&cell| !self.cells[cell].has(MODEL))
            .collect();
        if !self.phase("fit", all, Self::fit)? {
            return Ok(None);
        }

        let validations: Vec<_> = self
            .cells
            .iter_mut()
            .map(|cell| cell.manifest().validation)
            .collect();
        let measured: Vec<_> = self
            .cells
            .iter()
            .map(|cell| &cell.point)
            .zip(&validations)
            .collect();
        let winners = winners(&self.spec, &measured)?;

        let new = winners
            .iter()
            .copied()
            .filter(|&cell| !self.cells[cell].has(PREDICTIONS))
            .collect();
        if !self.phase("predict", new, Self::predict)? {
            return Ok(None);
        }

        let agreed = self.agree(&winners)?;
        let scored = Key::of(&json!({ "images": *agreed, "code": [TEST_CODE, R::TEST_VERSION] }))?;
        self.lab = self.lab.with_agreed(agreed);
        let old = |cell: &Cell| {
            cell.has(SCORES)
                && cell
                    .manifest
                    .as_ref()
                    .is_some_and(|manifest| manifest.scored.as_ref() == Some(&scored))
        };
        let new = winners
            .iter()
            .copied()
            .filter(|&cell| !old(&self.cells[cell]))
            .collect();
        if !self.phase("test", new, |cell, lab| Self::test(cell, lab, &scored))? {
            return Ok(None);
        }

        match self.baselines(&scored) {
            Ok(baselines) => self.result(&winners, baselines).map(Some),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                self.fail("baselines".to_owned(), error);
                Ok(None)
            }
        }
    }

    /// Works on each of the cells, as many at a time as there are jobs; `false` if any of them failed.
    fn phase(
        &mut self,
        name: &str,
        todo: Vec<usize>,
        work: impl Fn(&mut Cell, &Lab) -> Result<()> + Sync,
    ) -> Result<bool> {
        if todo.is_empty() {
            return Ok(true);
        }
        let jobs = self.jobs.clamp(1, todo.len());
        let mut cells: Vec<Option<&mut Cell>> = self.cells.iter_mut().map(Some).collect();
        let cells = spread(&todo, jobs)
            .into_iter()
            .filter_map(|cell| cells[cell].take());
        let phase = Phase {
            name,
            experiment: self.plan.name,
            lab: &self.lab,
            bar: self.lab.progress(todo.len(), name),
            total: todo.len(),
            queue: Mutex::new(cells.collect()),
            finished: AtomicUsize::new(0),
            failures: Mutex::default(),
            work,
        };
        if jobs == 1 {
            phase.run()?;
        } else {
            // A job's share of the cores: whole cells side by side waste less time than the threads
            // of one, which wait for each other at every layer.
            let threads = (cores() / jobs).max(1);
            std::thread::scope(|scope| {
                let job = || {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    pool.map_err(Error::invalid)?.install(|| phase.run())
                };
                let jobs: Vec<_> = (0..jobs).map(|_| scope.spawn(job)).collect();
                let ends = jobs
                    .into_iter()
                    .map(|job| job.join().expect("panics are caught"));
                ends.collect::<Result<Vec<()>>>()
            })?;
        }
        let failures = phase
            .failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let all_well = failures.is_empty();
        self.failures.extend(failures);
        Ok(all_well)
    }

    fn fail(&mut self, title: String, error: Error) {
        self.lab
            .reporter()
            .warn(&format!("failed: {title}: {error}"));
        self.failures.push((title, error));
    }

    fn fit(cell: &mut Cell, lab: &Lab) -> Result<()> {
        let start = Instant::now();
        let fitted = R::at(&cell.point).fit(lab)?;
        let manifest = Manifest {
            key: cell.key.clone(),
            status: Status::Fitted,
            cell: cell.point.to_string(),
            inputs: cell.inputs.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: lab.device_choice().to_string(),
            validation: fitted.validation,
            history: fitted.history,
            seconds: BTreeMap::from([("fit".to_owned(), start.elapsed().as_secs_f64())]),
            test_accuracy: None,
            scored: None,
            files: BTreeMap::new(),
        };
        cell.manifest = Some(
            lab.store()
                .create(manifest, |path| fitted.model.save(path))?,
        );
        Ok(())
    }

    fn predict(cell: &mut Cell, lab: &Lab) -> Result<()> {
        let model = R::Model::load(&lab.store().cell(&cell.key).join(MODEL), lab)?;
        let predictions = Predictions {
            class: R::Model::classes(lab)?,
            predicted: model.predict(lab)?,
        };
        if predictions.class.is_empty() || predictions.class.len() != predictions.predicted.len() {
            return Err(Error::invalid(format!(
                "the model predicts {} classes for {} test images",
                predictions.predicted.len(),
                predictions.class.len()
            )));
        }
        let manifest = cell.manifest();
        manifest.test_accuracy = Some(predictions.accuracy());
        lab.store()
            .add(manifest, PREDICTIONS, |path| predictions.write(path))
    }

    /// The test images that every winner classifies correctly.
    fn agree(&self, winners: &[usize]) -> Result<Arc<[u32]>> {
        let mut agreed: Vec<bool> = Vec::new();
        for &winner in winners {
            let predictions = Predictions::read(
                &self
                    .lab
                    .store()
                    .cell(&self.cells[winner].key)
                    .join(PREDICTIONS),
            )?;
            if agreed.is_empty() {
                agreed = vec![true; predictions.class.len()];
            }
            if agreed.len() != predictions.class.len() {
                return Err(Error::invalid(
                    "the test set has changed since some models saw it; run with --fresh",
                ));
            }
            agreed
                .iter_mut()
                .zip(predictions.correct())
                .for_each(|(all, this)| *all &= this);
        }
        let images: Arc<[u32]> = (0..)
            .zip(&agreed)
            .filter(|(_, agreed)| **agreed)
            .map(|(image, _)| image)
            .collect();
        match images.is_empty() {
            true => Err(Error::invalid(
                "no test image is classified correctly by every winner, so that there is nothing to compare \
                 explanations on; look at the test accuracies in the manifests",
            )),
            false => Ok(images),
        }
    }

    fn test(cell: &mut Cell, lab: &Lab, scored: &Key) -> Result<()> {
        let start = Instant::now();
        let model = R::Model::load(&lab.store().cell(&cell.key).join(MODEL), lab)?;
        let manifest = cell.manifest.as_mut().expect("winners are fitted");
        let fitted = Fitted {
            model,
            validation: manifest.validation,
            history: manifest.history.clone(),
        };
        let scores = R::at(&cell.point).test(&fitted, lab)?;
        manifest.scored = Some(scored.clone());
        manifest
            .seconds
            .insert("test".to_owned(), start.elapsed().as_secs_f64());
        lab.store()
            .add(manifest, SCORES, |path| write_scores(path, &scores))
    }

    /// The baselines, kept as a stage: names in order, and the scores of each.
    fn baselines(&self, scored: &Key) -> Result<Vec<Baseline>> {
        const NAMES: &str = "names.json";
        let file = |index: usize| format!("{index}.parquet");
        let lab = self.lab.for_cell(self.plan.name, &"baselines")?;
        let inputs = json!({
            "experiment": self.plan.name,
            "scale": lab.scale(),
            "settings": lab.settings(),
            "device": lab.device_choice().kind(),
            "scored": scored,
            "code": [FIT_CODE, R::FIT_VERSION],
        });
        let inputs = with_data(inputs, lab.data());
        let folder = lab.stage("baselines", &inputs, |folder| {
            let baselines = R::baselines(&lab)?;
            for (index, baseline) in baselines.iter().enumerate() {
                write_scores(&folder.join(file(index)), &baseline.scores)?;
            }
            let names: Vec<_> = baselines.iter().map(|baseline| &baseline.name).collect();
            write_json(&folder.join(NAMES), &names)
        })?;
        let path = folder.join(NAMES);
        let text = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let names: Vec<String> = serde_json::from_slice(&text).map_err(|error| {
            Error::file(
                &path,
                format!("damaged ({error}); delete its folder and run again"),
            )
        })?;
        let read = |(index, name)| {
            Ok(Baseline {
                name,
                scores: read_scores(&folder.join(file(index)))?,
            })
        };
        names.into_iter().enumerate().map(read).collect()
    }

    fn result(&self, winners: &[usize], baselines: Vec<Baseline>) -> Result<SweepResult> {
        let cell = |&winner: &usize| {
            let cell = &self.cells[winner];
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
                scores: read_scores(&self.lab.store().cell(&cell.key).join(SCORES))?,
            })
        };
        let axes = self
            .plan
            .factors
            .iter()
            .filter(|factor| factor.role == Role::Axis);
        Ok(SweepResult {
            name: self.plan.name.to_owned(),
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
        })
    }

    /// Writes `plan.json`: what the sweep is.
    fn keep_plan(&self) -> Result<()> {
        let folder = self.lab.store().folder();
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|cell| json!({ "key": cell.key, "values": values(&cell.point) }))
            .collect();
        let plan = json!({
            "experiment": self.plan.name,
            "description": self.spec.description,
            "version": env!("CARGO_PKG_VERSION"),
            "command": std::env::args().collect::<Vec<_>>(),
            "device": self.lab.device_choice().to_string(),
            "scale": self.plan.scale,
            "settings": self.lab.settings(),
            "factors": self.plan.factors,
            "cells": cells,
            "skipped": self.plan.skipped,
        });
        let plan = with_data(plan, self.lab.data());
        write_json(&folder.join("plan.json"), &plan)
    }
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "for no given reason".to_owned(), ToString::to_string),
    }
}
