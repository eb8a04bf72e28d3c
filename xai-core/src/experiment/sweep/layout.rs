//! A sweep laid out: its cells, what is there of them, and what `plan.json` says of it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::SweepOptions;
use super::cell::{Cell, cells, values};
use crate::error::{Error, Result};
use crate::experiment::data::Data;
use crate::experiment::plan::Plan;
use crate::experiment::provenance::provenance;
use crate::experiment::run::Run;
use crate::experiment::select::winners;
use crate::experiment::spec::Spec;
use crate::experiment::store::Store;
use crate::experiment::weights::Weights;

/// A sweep before anything is computed.
pub(in crate::experiment) struct Layout {
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

/// The file that says what a sweep is.
pub(in crate::experiment) const PLAN: &str = "plan.json";

/// What `plan.json` holds before the run.
pub(super) fn plan_json(layout: &Layout, options: &SweepOptions) -> Json {
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
