//! What remains to be done, and an estimate of its cost.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::sweep::context::Study;
use crate::sweep::declare::{Point, Role, Spec};
use crate::sweep::keep::{MAPS, MODEL, Manifest, PREDICTIONS, SCORES, Scored};
use crate::sweep::plan::part;
use crate::sweep::planned::{Agreed, PlanFile, PlannedCell, PlannedSweep, SweepOptions, scored};

/// The progress of a sweep and what remains.
pub(crate) struct Remaining {
    cells: usize,
    fitted: usize,
    tested: usize,
    tests: Tests,
    cost: Cost,
}

/// What decides whether a cell is tested, as far as it is known before a run.
struct Tests {
    scored: Scored,
    /// With the images that the winners agree on, once they are known.
    agreed: Option<Agreed>,
}

impl Tests {
    fn are_done(&self, cell: &PlannedCell) -> bool {
        match &self.agreed {
            Some(agreed) => cell.is_tested(agreed),
            None => cell.is_scored_by(&self.scored),
        }
    }
}

enum Cost {
    /// Nothing remains.
    Nothing,
    /// No cell of this scale has finished, so there is no estimate.
    Unknown,
    /// An estimate from finished cells: their number, the seconds, the bytes.
    About(usize, f64, u64),
}

impl Remaining {
    pub fn of(study: &dyn Study, planned: &PlannedSweep, options: &SweepOptions) -> Self {
        let tests = Tests {
            scored: scored(study),
            agreed: planned.agreed(study),
        };
        let is_tested = |cell: &PlannedCell| tests.are_done(cell);
        let cells = || planned.cells.iter();
        let fitted = cells().filter(|cell| cell.has(MODEL)).count();
        let tested = cells().filter(|cell| is_tested(cell)).count();
        let to_fit: Vec<_> = planned
            .cells
            .iter()
            .filter(|cell| !cell.has(MODEL))
            .collect();
        // The winners are known when all cells are fitted. Their number is known before.
        let to_test = match planned.winners() {
            Ok(winners) => {
                let cells = winners.iter().map(|&winner| &planned.cells[winner]);
                cells.filter(|cell| !is_tested(cell)).count()
            }
            Err(_) => winners_to_be(&planned.spec, &planned.cells, &is_tested),
        };
        let cost = match (to_fit.is_empty(), to_test) {
            (true, 0) => Cost::Nothing,
            _ => cost(planned, options, &to_fit, to_test),
        };
        Self {
            cells: planned.cells.len(),
            fitted,
            tested,
            tests,
            cost,
        }
    }

    /// Each cell with its status, for `--plan`.
    pub fn cells(&self, planned: &PlannedSweep) -> String {
        let mut text = String::new();
        for cell in &planned.cells {
            let key = &cell.key.as_str()[..12];
            let _ = writeln!(text, "  {:9}  {key}  {}", self.status(cell), cell.point);
        }
        text + "\n"
    }

    /// The same for other programs: the event `plan` with a status for each cell.
    pub fn event<'a>(
        &'a self,
        plan: &'a PlanFile,
        planned: &'a PlannedSweep,
    ) -> impl Serialize + 'a {
        let estimate = match self.cost {
            Cost::Nothing => json!({ "seconds": 0.0, "bytes": 0 }),
            Cost::Unknown => Json::Null,
            Cost::About(from, seconds, bytes) => {
                json!({ "seconds": seconds, "bytes": bytes, "from_cells": from })
            }
        };
        let last = json!({ "fitted": self.fitted, "tested": self.tested, "estimate": estimate });
        let with_status =
            move |cell: &PlannedCell, entry: &mut Json| entry["status"] = json!(self.status(cell));
        plan.with(
            &planned.cells,
            json!({ "event": "plan" }),
            last,
            with_status,
        )
    }

    fn status(&self, cell: &PlannedCell) -> &'static str {
        match () {
            () if self.tests.are_done(cell) => "tested",
            () if cell.has(PREDICTIONS) => "predicted",
            () if cell.has(MODEL) => "fitted",
            () => "to do",
        }
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cells,
            fitted,
            tested,
            cost,
            ..
        } = self;
        writeln!(
            f,
            "  finished  {fitted} of {cells} cells fitted, {tested} tested"
        )?;
        match cost {
            Cost::Nothing => Ok(()),
            Cost::Unknown => writeln!(
                f,
                "  estimate  none until a cell of this scale has finished"
            ),
            Cost::About(from, seconds, bytes) => writeln!(
                f,
                "  estimate  about {:#} and {}, without shared stages (from {from} finished cells)",
                HumanDuration(Duration::try_from_secs_f64(*seconds).unwrap_or(Duration::MAX)),
                HumanBytes(*bytes)
            ),
        }
    }
}

/// The number of cells of these that a selection will choose: for each combination of axes, the seeds of one choice.
/// Without a selection, all of them.
pub(crate) fn expected_winners<'a>(
    spec: &Spec,
    cells: impl IntoIterator<Item = &'a PlannedCell>,
) -> usize {
    let cells = cells.into_iter();
    if spec.select.is_none() {
        return cells.count();
    }
    let axes: Vec<_> = spec.names(Role::Axis).collect();
    let seeds: Vec<_> = spec.names(Role::Seed).collect();
    let place = |cell: &PlannedCell| (part(&cell.point, &axes), part(&cell.point, &seeds));
    cells.map(place).collect::<BTreeSet<_>>().len()
}

/// The number of cells that a selection will choose and that are not tested yet. It is larger if the selection chooses
/// other cells than those already tested.
pub(super) fn winners_to_be(
    spec: &Spec,
    cells: &[PlannedCell],
    is_tested: &dyn Fn(&PlannedCell) -> bool,
) -> usize {
    let tested = cells.iter().filter(|cell| is_tested(cell));
    expected_winners(spec, cells) - expected_winners(spec, tested)
}

/// Time and disk space of what remains.
fn cost(
    planned: &PlannedSweep,
    options: &SweepOptions,
    to_fit: &[&PlannedCell],
    to_test: usize,
) -> Cost {
    let Some(past) = Past::of(planned, options) else {
        return Cost::Unknown;
    };
    let fits: f64 = to_fit.iter().map(|cell| past.fit(&cell.point)).sum();
    let tests = (past.predict.mean() + past.test.mean()) * to_test as f64;
    let seconds = (fits + tests) / options.jobs.max(1) as f64;
    let bytes = past.model.mean() * to_fit.len() as f64 + past.rest.mean() * to_test as f64;
    Cost::About(past.cells, seconds, bytes as u64)
}

/// What cells cost that finished before, at the same scale on the same kind of device.
pub(crate) struct Past {
    cells: usize,
    axes: Vec<&'static str>,
    /// Seconds of a fit, by the levels of the axes.
    fit_at: HashMap<Vec<String>, Average>,
    fit: Average,
    /// Seconds of a prediction.
    pub predict: Average,
    /// Seconds of a test.
    pub test: Average,
    /// Bytes of a model.
    model: Average,
    /// Bytes of everything else that a winner has.
    rest: Average,
}

impl Past {
    /// Reads all manifests. `None` if no such cell has finished.
    pub fn of(planned: &PlannedSweep, options: &SweepOptions) -> Option<Self> {
        let mut past = Self {
            cells: 0,
            axes: planned.spec.names(Role::Axis).collect(),
            fit_at: HashMap::new(),
            fit: Average::default(),
            predict: Average::default(),
            test: Average::default(),
            model: Average::default(),
            rest: Average::default(),
        };
        let comparable = |cell: &Manifest| {
            cell.inputs["scale"] == json!(options.scale)
                && cell.inputs["device"] == options.devices.kind()
        };
        let all = planned.store.all();
        all.filter(comparable).for_each(|cell| past.add(&cell));
        (past.cells > 0).then_some(past)
    }

    fn add(&mut self, cell: &Manifest) {
        self.cells += 1;
        let of = |phase| cell.seconds.get(phase).copied();
        let [fit, stages, spared] = ["fit", "stages", "spared"].map(|part| of(part).unwrap_or(0.0));
        let seconds = (fit - stages + spared).max(0.0);
        let values = &cell.inputs["values"];
        let at = self.axes.iter().map(|name| values[*name].to_string());
        self.fit_at.entry(at.collect()).or_default().add(seconds);
        self.fit.add(seconds);
        of("predict").into_iter().for_each(|x| self.predict.add(x));
        of("test").into_iter().for_each(|x| self.test.add(x));
        let bytes = |file: &str| cell.files.get(file).map(|file| file.bytes as f64);
        bytes(MODEL).into_iter().for_each(|x| self.model.add(x));
        // A winner has all of them.
        let rest: Option<f64> = [PREDICTIONS, SCORES, MAPS].into_iter().map(bytes).sum();
        rest.into_iter().for_each(|x| self.rest.add(x));
    }

    /// The seconds of a fit. Cells with the same levels of the axes cost about the same. If there are
    /// none, all cells are used.
    pub fn fit(&self, point: &Point) -> f64 {
        let level = |name: &&str| json!(point.value(name)).to_string();
        let here = self
            .fit_at
            .get(&self.axes.iter().map(level).collect::<Vec<_>>());
        here.unwrap_or(&self.fit).mean()
    }
}

/// A mean; 0 of nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Average {
    sum: f64,
    count: usize,
}

impl Average {
    fn add(&mut self, number: f64) {
        self.sum += number;
        self.count += 1;
    }

    /// The mean. `None` of nothing.
    pub fn known(&self) -> Option<f64> {
        (self.count > 0).then(|| self.mean())
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
