//! A sweep that is laid out: its cells, and what is already done.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use super::cell::{Agreed, PlannedCell, agreed, cells, consensus, outside};
use super::frozen_plan::{check_frozen, is_finished};
use super::options::SweepOptions;
use crate::error::{Error, Result};
use crate::sweep::context::Study;
use crate::sweep::declare::{Spec, Value};
use crate::sweep::keep::{Manifest, PREDICTIONS, Store};
use crate::sweep::plan::{Plan, winners};

/// A sweep before anything is computed.
pub(crate) struct PlannedSweep {
    pub spec: Spec,
    pub plan: Plan,
    pub store: Store,
    /// The cells of the plan; those of one task only if that is what the options request.
    pub cells: Vec<PlannedCell>,
}

impl PlannedSweep {
    /// Lays out the cells that the options request, and looks up what is already done.
    pub fn of(study: &dyn Study, options: &SweepOptions, warn: &dyn Fn(String)) -> Result<Self> {
        let spec = study.spec();
        let absent = |name: &str, value: &Value| study.absent(name, value);
        let plan = Plan::restricted(&spec, options.scale, &absent, &options.restriction)?;
        if !options.restriction.set.is_empty() {
            // A design lays out numbers without their types. A negative number may not fit a u64.
            for point in &plan.cells {
                std::panic::catch_unwind(AssertUnwindSafe(|| study.check(point))).map_err(
                    |_| {
                        Error::invalid(format!(
                            "a value of --set does not fit its parameter's type: {point}"
                        ))
                    },
                )?;
            }
        }
        let mut store = store(&plan, options).of_code(outside(&spec), options.fresh_code);
        if options.fresh {
            store = store.without_old_stages();
        }
        if spec.code.is_none() {
            warn(
                "the source of this experiment could not be read when it was compiled, so a change to it is not seen: \
                 raise FIT_VERSION or TEST_VERSION after one"
                    .to_owned(),
            );
        }
        let own = match &options.part {
            Some(part) => part.own_cells(&spec, &plan)?,
            None => None,
        };
        let which = own.unwrap_or_else(|| (0..plan.cells.len()).collect());
        let cells = cells(study, &plan, &which, options, &store, warn)?;
        match &options.part {
            Some(_) => check_frozen(&store, &plan, &which, &cells)?,
            None => {
                warn_of_old_cells(&store, &cells, warn);
                if let Some(problem) = study.unused(&plan.cells) {
                    warn(problem);
                }
            }
        }
        Ok(Self {
            spec,
            plan,
            store,
            cells,
        })
    }

    /// The folder of the run that the options request. Nothing is looked up in it.
    pub fn folder(study: &dyn Study, options: &SweepOptions) -> Result<PathBuf> {
        let absent = |name: &str, value: &Value| study.absent(name, value);
        let plan = Plan::restricted(&study.spec(), options.scale, &absent, &options.restriction)?;
        Ok(store(&plan, options).folder().to_owned())
    }

    /// One line if cells were computed by other code outside of the experiment's file than runs now.
    pub fn other_code(&self) -> Option<String> {
        let now = self.store.code();
        let manifests = self.cells.iter().filter_map(|cell| cell.manifest.as_ref());
        let changes: Vec<_> = manifests
            .map(|manifest| manifest.other_code(now))
            .filter(|names| !names.is_empty())
            .collect();
        let names: BTreeSet<String> = changes.iter().flatten().cloned().collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let (count, what) = match changes.len() {
            0 => return None,
            1 => (1, "cell was"),
            count => (count, "cells were"),
        };
        Some(format!(
            "{names} changed since {count} {what} computed, and the results are kept; --fresh-code computes these again"
        ))
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
                "models were deleted after they were fitted; run the same command again",
            ));
        }
        winners(&self.spec, &measured)
    }

    /// Whether a run of these cells has finished in the folder, and scored its winners as they would be scored now.
    pub fn is_finished(&self, study: &dyn Study) -> bool {
        let are_tested = |agreed: Agreed| {
            let winners = self.winners().unwrap_or_default();
            winners.iter().all(|&at| self.cells[at].is_tested(&agreed))
        };
        is_finished(&self.store, &self.plan, &self.cells)
            && self.agreed(study).is_some_and(are_tested)
    }

    /// What the scores of the winners depend on. `None` before all of them have predicted the test set.
    pub fn agreed(&self, study: &dyn Study) -> Option<Agreed> {
        let winners = self.winners().ok()?;
        let winners: Vec<_> = winners.iter().map(|&at| &self.cells[at]).collect();
        let seen = winners.iter().all(|cell| cell.has(PREDICTIONS));
        let consensus = seen.then(|| consensus(&self.store, &winners).ok())??;
        Some(agreed(study, consensus))
    }
}

/// Where a plan is run.
fn store(plan: &Plan, options: &SweepOptions) -> Store {
    let store = Store::new(&options.out, plan.name);
    match &plan.restricted {
        Some(restricted) => store.restricted(&restricted.label),
        None => store,
    }
}

/// Cells computed by an earlier version have other keys. They are not moved or deleted.
fn warn_of_old_cells(store: &Store, cells: &[PlannedCell], warn: &dyn Fn(String)) {
    if cells.iter().all(|cell| cell.manifest.is_some()) {
        return;
    }
    let old = |manifest: &Manifest| manifest.inputs.pointer("/code/file").is_none();
    let old = store.all().filter(old).count();
    if old > 0 {
        warn(format!(
            "{} holds {old} cells of an earlier version, whose keys have changed (see CHANGELOG.md); they are \
             not used, and cells are computed again. Delete the folder `cells` to free disk space",
            store.folder().display()
        ));
    }
}
