//! A sweep that is laid out: its cells, what is already done, and the content of `plan.json`.

use serde_json::{Value as Json, json};

use super::cell::{PlannedCell, cells, values};
use super::options::SweepOptions;
use crate::error::{Error, Result};
use crate::sweep::context::{Benchmark, Run};
use crate::sweep::declare::{Spec, Value};
use crate::sweep::keep::{Manifest, Store, provenance};
use crate::sweep::plan::{Plan, winners};

/// A sweep before anything is computed.
pub(crate) struct PlannedSweep<B> {
    pub spec: Spec,
    pub plan: Plan,
    pub store: Store,
    pub cells: Vec<PlannedCell>,
    pub benchmark: B,
}

impl<B: Benchmark> PlannedSweep<B> {
    /// Lays out the cells that the options request, and looks up what is already done.
    pub fn of<R: Run<Benchmark = B>>(
        options: &SweepOptions,
        benchmark: &B,
        warn: impl Fn(String),
    ) -> Result<Self> {
        let spec = R::spec();
        let absent = |name: &str, value: &Value| benchmark.absent(name, value);
        let plan = Plan::restricted(&spec, options.scale, &absent, &options.restriction)?;
        if !options.restriction.set.is_empty() {
            // A design lays out numbers without their types. A negative number may not fit a u64.
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
        let cells = cells::<R>(&plan, options, benchmark, &store, &warn)?;
        // Cells computed by an earlier version have other keys. They are not moved or deleted.
        let old = |manifest: &Manifest| manifest.inputs.get("benchmark").is_none();
        let old = store.all().iter().filter(|manifest| old(manifest)).count();
        if old > 0 && cells.iter().any(|cell| cell.manifest.is_none()) {
            warn(format!(
                "{} holds {old} cells of an earlier version, whose keys have changed (see CHANGELOG.md); they are \
                 not used, and cells are computed again. Delete the folder `cells` to free disk space",
                store.folder().display()
            ));
        }
        Ok(Self {
            spec,
            plan,
            store,
            cells,
            benchmark: benchmark.clone(),
        })
    }
}

impl<B> PlannedSweep<B> {
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
}

/// The content of `plan.json` before the run.
pub(crate) fn plan_json<B: Benchmark>(planned: &PlannedSweep<B>, options: &SweepOptions) -> Json {
    let plan = &planned.plan;
    let cells: Vec<_> = planned
        .cells
        .iter()
        .map(|cell| {
            json!({ "key": cell.key, "cell": cell.point.to_string(), "values": values(&cell.point),
                "winner": false })
        })
        .collect();
    let benchmark = &planned.benchmark;
    json!({
        "experiment": plan.name,
        "description": planned.spec.description,
        "command": std::env::args_os().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        "code": provenance(),
        "device": options.devices.to_string(),
        "adapters": options.devices.adapters(),
        "scale": plan.scale,
        "benchmark": {
            "name": B::NAME,
            "about": benchmark.about(),
            "classes": benchmark.classes(),
            "explained": benchmark.explained(),
            "identity": benchmark.identity(),
        },
        "restricted": plan.restricted,
        "finished": false,
        "factors": plan.factors,
        "cells": cells,
        "baselines": null,
        "skipped": plan.skipped,
        "absent": plan.absent,
    })
}
