//! The plan that tasks of a scheduler divide between them.

use std::fs;

use serde::Deserialize;

use super::cell::PlannedCell;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::sweep::keep::{PLAN, Store};
use crate::sweep::plan::Plan;

/// Whether the plan that lies in the folder is that of these cells, and its run has finished.
pub(super) fn is_finished(store: &Store, plan: &Plan, cells: &[PlannedCell]) -> bool {
    #[derive(Deserialize)]
    struct Run {
        finished: bool,
    }
    let text = fs::read(store.folder().join(PLAN)).ok();
    let run = text.and_then(|text| serde_json::from_slice::<Run>(&text).ok());
    let all: Vec<_> = (0..cells.len()).collect();
    run.is_some_and(|run| run.finished) && check_frozen(store, plan, &all, cells).is_ok()
}

/// Checks that `cells`, which are `which` of the plan, are those of the plan that lies in the folder.
/// A task must not run another plan than the one that was divided.
pub(crate) fn check_frozen(
    store: &Store,
    plan: &Plan,
    which: &[usize],
    cells: &[PlannedCell],
) -> Result<()> {
    #[derive(Deserialize)]
    struct Frozen {
        cells: Vec<FrozenCell>,
    }
    #[derive(Deserialize)]
    struct FrozenCell {
        key: Key,
    }
    let path = store.folder().join(PLAN);
    let problem = |problem: String| Error::file(&path, problem);
    let text = fs::read(&path).map_err(|error| {
        problem(format!(
            "{error}; --shard needs a plan: run the same command with --freeze instead of --shard first"
        ))
    })?;
    let frozen: Frozen = serde_json::from_slice(&text).map_err(|error| {
        problem(format!(
            "is damaged ({error}); freeze the plan again by --freeze"
        ))
    })?;
    let same = frozen.cells.len() == plan.cells.len()
        && (which.iter().zip(cells)).all(|(&at, cell)| frozen.cells[at].key == cell.key);
    if same {
        return Ok(());
    }
    Err(problem(
        "is another plan than that of this command; use the program that lies beside it and the options with which \
         it was frozen, or freeze a new plan by --freeze when no task of the old one runs"
            .to_owned(),
    ))
}
