//! What remains to be done, and an estimate of its cost.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Value as Json, json};

use crate::sweep::declare::{Role, Spec};
use crate::sweep::keep::{MAPS, MODEL, Manifest, PREDICTIONS, SCORES};
use crate::sweep::plan::part;
use crate::sweep::planned::{PlannedCell, PlannedSweep, SweepOptions};

/// The progress of a sweep and what remains.
pub(crate) struct Remaining {
    cells: usize,
    fitted: usize,
    tested: usize,
    cost: Cost,
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
    pub fn of<B>(planned: &PlannedSweep<B>, options: &SweepOptions) -> Self {
        let count = |file| planned.cells.iter().filter(|cell| cell.has(file)).count();
        let (fitted, tested) = (count(MODEL), count(SCORES));
        let to_fit: Vec<_> = planned
            .cells
            .iter()
            .filter(|cell| !cell.has(MODEL))
            .collect();
        // The winners are known when all cells are fitted. Their number is known before.
        let to_test = match planned.winners() {
            Ok(winners) => {
                let cells = winners.iter().map(|&winner| &planned.cells[winner]);
                cells.filter(|cell| !cell.has(SCORES)).count()
            }
            Err(_) => winners_to_be(&planned.spec, &planned.cells),
        };
        let cost = match (to_fit.is_empty(), to_test) {
            (true, 0) => Cost::Nothing,
            _ => cost(planned, options, &to_fit, to_test),
        };
        Self {
            cells: planned.cells.len(),
            fitted,
            tested,
            cost,
        }
    }

    /// Each cell with its status, for `--plan`.
    pub fn cells<B>(&self, planned: &PlannedSweep<B>) -> String {
        let mut text = String::new();
        for cell in &planned.cells {
            let key = &cell.key.as_str()[..12];
            let _ = writeln!(text, "  {:9}  {key}  {}", status(cell), cell.point);
        }
        text + "\n"
    }

    /// The same for other programs: the event `plan` with a status for each cell.
    pub fn event<B>(&self, plan: &Json, planned: &PlannedSweep<B>) -> Json {
        let mut event = json!({ "event": "plan" });
        let entries = plan.as_object().into_iter().flatten();
        for (name, entry) in entries {
            event[name] = entry.clone();
        }
        for (at, cell) in planned.cells.iter().enumerate() {
            event["cells"][at]["status"] = json!(status(cell));
        }
        event["fitted"] = json!(self.fitted);
        event["tested"] = json!(self.tested);
        event["estimate"] = match self.cost {
            Cost::Nothing => json!({ "seconds": 0.0, "bytes": 0 }),
            Cost::Unknown => Json::Null,
            Cost::About(from, seconds, bytes) => {
                json!({ "seconds": seconds, "bytes": bytes, "from_cells": from })
            }
        };
        event
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cells,
            fitted,
            tested,
            cost,
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
                HumanDuration(Duration::from_secs_f64(*seconds)),
                HumanBytes(*bytes)
            ),
        }
    }
}

fn status(cell: &PlannedCell) -> &'static str {
    match () {
        () if cell.has(SCORES) => "tested",
        () if cell.has(PREDICTIONS) => "predicted",
        () if cell.has(MODEL) => "fitted",
        () => "to do",
    }
}

/// The number of cells that a selection will choose and that are not tested yet: for each
/// combination of axes, the seeds of one choice. It is larger if the selection chooses other cells
/// than those already tested.
fn winners_to_be(spec: &Spec, cells: &[PlannedCell]) -> usize {
    let tested = |cell: &&PlannedCell| cell.has(SCORES);
    if spec.select.is_none() {
        return cells.len() - cells.iter().filter(tested).count();
    }
    let axes: Vec<_> = spec.names(Role::Axis).collect();
    let seeds: Vec<_> = spec.names(Role::Seed).collect();
    let place = |cell: &PlannedCell| (part(&cell.point, &axes), part(&cell.point, &seeds));
    let all: BTreeSet<_> = cells.iter().map(place).collect();
    let done: BTreeSet<_> = cells.iter().filter(tested).map(place).collect();
    all.len() - done.len()
}

/// Time and disk space, estimated from cells finished before, at the same scale on the same kind of
/// device.
fn cost<B>(
    planned: &PlannedSweep<B>,
    options: &SweepOptions,
    to_fit: &[&PlannedCell],
    to_test: usize,
) -> Cost {
    let comparable = |past: &Manifest| {
        past.inputs["scale"] == json!(options.scale)
            && past.inputs["device"] == options.devices.kind()
    };
    let past = planned.store.all();
    let past: Vec<_> = past.iter().filter(|past| comparable(past)).collect();
    if past.is_empty() {
        return Cost::Unknown;
    }
    let axes: Vec<_> = planned.spec.names(Role::Axis).collect();
    let fit = |past: &Manifest| {
        let of = |phase| past.seconds.get(phase).copied().unwrap_or(0.0);
        (of("fit") - of("stages") + of("spared")).max(0.0)
    };
    // Cells with the same levels of the axes cost about the same. If there are none, all cells are
    // used.
    let fits = to_fit.iter().map(|cell| {
        let here = |past: &&&Manifest| {
            axes.iter().all(|name| {
                let value = cell.point.value(name).map(|value| json!(value));
                past.inputs["values"].get(*name) == value.as_ref()
            })
        };
        mean(past.iter().filter(here).map(|past| fit(past)))
            .or_else(|| mean(past.iter().map(|past| fit(past))))
            .unwrap_or(0.0)
    });
    let tests = ["predict", "test"].into_iter().map(|phase| {
        let seconds = past.iter().filter_map(|past| past.seconds.get(phase));
        mean(seconds.copied()).unwrap_or(0.0) * to_test as f64
    });
    let seconds = fits.chain(tests).sum::<f64>() / options.jobs.max(1) as f64;
    let room = |file: &str, cells: usize| {
        let bytes = past.iter().filter_map(|past| past.files.get(file));
        mean(bytes.map(|file| file.bytes as f64)).unwrap_or(0.0) * cells as f64
    };
    let bytes = room(MODEL, to_fit.len())
        + room(PREDICTIONS, to_test)
        + room(SCORES, to_test)
        + room(MAPS, to_test);
    Cost::About(past.len(), seconds, bytes as u64)
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    crate::statistics::mean(&numbers.collect::<Vec<_>>())
}
