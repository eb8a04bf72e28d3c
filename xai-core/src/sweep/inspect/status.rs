//! How far a sweep is, phase by phase, whatever runs it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::estimate::winners_to_be;
use crate::error::Result;
use crate::key::Key;
use crate::sweep::context::Study;
use crate::sweep::keep::{Holder, MODEL, PREDICTIONS, SCORES};
use crate::sweep::planned::{PlannedCell, PlannedSweep, SweepOptions};
use crate::sweep::watch::{Reporter, failure};

/// How far a sweep is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The phases in order.
    pub phases: Vec<PhaseStatus>,
    /// The cells that a process works on.
    pub running: Vec<Running>,
    /// The cells whose last attempt failed.
    pub failed: Vec<Failed>,
}

/// How far a phase is, in cells.
#[derive(Debug, Serialize)]
pub struct PhaseStatus {
    /// Such as `fit`.
    pub phase: &'static str,
    /// All cells of the phase. Before the selection, the expected number of winners.
    pub cells: usize,
    /// Those that are finished.
    pub done: usize,
    /// Those that a process works on.
    pub running: usize,
    /// Those whose last attempt failed.
    pub failed: usize,
}

/// A cell that a process works on.
#[derive(Debug, Serialize)]
pub struct Running {
    phase: &'static str,
    cell: String,
    key: Key,
    host: String,
    /// The Slurm job, such as `12_3`.
    job: Option<String>,
}

/// A cell whose last attempt failed.
#[derive(Debug, Serialize)]
pub struct Failed {
    phase: &'static str,
    cell: String,
    key: Key,
    error: String,
    log: PathBuf,
}

/// Answers `--status`.
///
/// # Errors
/// If the design cannot be laid out.
pub fn status(study: &dyn Study, options: &SweepOptions) -> Result<Status> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn(&problem))?;
    let all: Vec<&PlannedCell> = planned.cells.iter().collect();
    let winners: Option<Vec<&PlannedCell>> = planned
        .winners()
        .ok()
        .map(|winners| winners.iter().map(|&at| &planned.cells[at]).collect());
    let scored = |cell: &PlannedCell| cell.has(SCORES);
    let expected = winners_to_be(&planned.spec, &planned.cells, &scored)
        + all.iter().filter(|cell| scored(cell)).count();
    let of_winners = winners.as_deref().unwrap_or_default();
    let agreed = planned.agreed(study);
    let is_tested =
        |cell: &PlannedCell| agreed.as_ref().is_some_and(|agreed| cell.is_tested(agreed));
    let mut status = Status {
        phases: Vec::new(),
        running: Vec::new(),
        failed: Vec::new(),
    };
    let holders = planned.store.holders();
    let find = Find {
        planned: &planned,
        holders: &holders,
    };
    find.phase(&mut status, "fit", &all, all.len(), |cell| cell.has(MODEL));
    let count = winners.as_ref().map_or(expected, Vec::len);
    let seen = |cell: &PlannedCell| cell.has(PREDICTIONS);
    find.phase(&mut status, "predict", of_winners, count, seen);
    // A winner waits for its test only once it has been predicted.
    let ready: Vec<_> = of_winners
        .iter()
        .copied()
        .filter(|cell| seen(cell))
        .collect();
    find.phase(&mut status, "test", &ready, count, is_tested);
    Ok(status)
}

struct Find<'a> {
    planned: &'a PlannedSweep,
    holders: &'a HashMap<Key, Holder>,
}

impl Find<'_> {
    /// Adds a phase. `which` are its cells as far as they are known.
    fn phase(
        &self,
        status: &mut Status,
        phase: &'static str,
        which: &[&PlannedCell],
        cells: usize,
        done: impl Fn(&PlannedCell) -> bool,
    ) {
        let (running, failed) = (status.running.len(), status.failed.len());
        for cell in which.iter().filter(|cell| !done(cell)) {
            if let Some(holder) = self.holders.get(&cell.key) {
                status.running.push(Running {
                    phase,
                    cell: cell.point.to_string(),
                    key: cell.key.clone(),
                    host: holder.host.clone(),
                    job: holder.job.clone(),
                });
                continue;
            }
            let log = self.planned.store.log(&cell.key);
            if let Some(error) = failure(&log) {
                status.failed.push(Failed {
                    phase,
                    cell: cell.point.to_string(),
                    key: cell.key.clone(),
                    error,
                    log,
                });
            }
        }
        status.phases.push(PhaseStatus {
            phase,
            cells,
            done: which.iter().filter(|cell| done(cell)).count(),
            running: status.running.len() - running,
            failed: status.failed.len() - failed,
        });
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for of in &self.phases {
            let waiting = of.cells.saturating_sub(of.done + of.running + of.failed);
            writeln!(
                f,
                "  {:8}  {} of {} done, {} running, {} failed, {waiting} waiting",
                of.phase, of.done, of.cells, of.running, of.failed
            )?;
        }
        for one in &self.running {
            let job = one
                .job
                .as_ref()
                .map_or(String::new(), |job| format!(", job {job}"));
            writeln!(
                f,
                "  running   {} {} (on {}{job})",
                one.phase, one.cell, one.host
            )?;
        }
        for one in &self.failed {
            let (phase, cell, error) = (one.phase, &one.cell, &one.error);
            writeln!(
                f,
                "  failed    {phase} {cell}: {error} (details in {})",
                one.log.display()
            )?;
        }
        Ok(())
    }
}
