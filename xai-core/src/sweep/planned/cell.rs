//! A cell of a sweep: what determines it, and what the store has for it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::options::SweepOptions;
use crate::error::{Error, Result};
use crate::key::{FIT_CODE, Key, TEST_CODE};
use crate::sweep::context::{Benchmark, Consensus, Run};
use crate::sweep::declare::Point;
use crate::sweep::keep::{MAPS, Manifest, PREDICTIONS, Predictions, SCORES, Scored, Store};
use crate::sweep::plan::Plan;

/// A point of the design and what is known about it.
pub(crate) struct PlannedCell {
    pub point: Point,
    pub key: Key,
    /// Without its `inputs`, which are large and known here.
    pub manifest: Option<Box<Manifest>>,
    /// What determines the model, apart from the values.
    of_cell: Arc<Inputs>,
    /// Set in a run that recomputes everything: the fit to ignore.
    stale: Option<String>,
}

impl PlannedCell {
    /// Everything that determines the model; the key is its hash.
    pub fn inputs(&self) -> Json {
        self.of_cell.at(&self.point)
    }

    /// Keeps a manifest, without what is known of the cell anyway.
    pub fn keep(&mut self, manifest: Manifest) {
        self.manifest = Some(Box::new(Manifest {
            inputs: Json::Null,
            ..manifest
        }));
    }

    /// Whether a file exists and is intact.
    pub fn has(&self, file: &str) -> bool {
        self.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.files.contains_key(file))
    }

    /// Whether its explanations were scored as `scored` describes.
    pub fn is_tested(&self, scored: &Scored) -> bool {
        let manifest = self.manifest.as_ref();
        let files = self.has(SCORES) && self.has(MAPS);
        files && manifest.is_some_and(|known| known.scored.as_ref() == Some(scored))
    }

    /// Reads the store again, because another process may have made progress.
    pub fn refresh(&mut self, store: &Store, warn: impl Fn(String)) {
        self.manifest = None;
        let found = store.find(&self.key, warn);
        if let Some(found) = found.filter(|found| Some(&found.fit) != self.stale.as_ref()) {
            self.keep(found);
        }
    }
}

/// Cells of a plan, by their positions, with their keys and what the store has for them.
pub(super) fn cells<R: Run>(
    plan: &Plan,
    which: impl Iterator<Item = usize>,
    options: &SweepOptions,
    benchmark: &R::Benchmark,
    store: &Store,
    warn: &impl Fn(String),
) -> Result<Vec<PlannedCell>> {
    let mut last: Option<Arc<Inputs>> = None;
    let cell = |at: usize| {
        let point = &plan.cells[at];
        let identity = R::at(point).benchmark(benchmark)?.identity();
        // Most cells have the same benchmark.
        let of_cell = match last.take().filter(|last| last.identity == identity) {
            Some(last) => last,
            None => Arc::new(Inputs {
                experiment: plan.name,
                scale: json!(options.scale),
                benchmark: <R::Benchmark as Benchmark>::NAME,
                identity,
                device: options.devices.kind(),
                code: FIT_CODE,
                version: R::FIT_VERSION,
            }),
        };
        last = Some(of_cell.clone());
        let mut cell = PlannedCell {
            point: point.clone(),
            key: Key::of(&of_cell.at(point))?,
            manifest: None,
            of_cell,
            stale: None,
        };
        cell.refresh(store, warn);
        if options.fresh {
            cell.stale = cell.manifest.take().map(|manifest| manifest.fit);
        }
        Ok(cell)
    };
    which.map(cell).collect()
}

/// What determines a model, apart from the values of its cell.
struct Inputs {
    experiment: &'static str,
    scale: Json,
    benchmark: &'static str,
    /// The identity of the benchmark of this cell.
    identity: Json,
    device: &'static str,
    code: u32,
    version: u32,
}

impl Inputs {
    /// The value that is hashed to the key of a cell. `--why` shows its paths.
    fn at(&self, point: &Point) -> Json {
        json!({
            "experiment": self.experiment,
            "values": values(point),
            "scale": self.scale,
            "benchmark": { "name": self.benchmark, "identity": self.identity },
            "device": self.device,
            "code": { "FIT_CODE of xai-core": self.code, "FIT_VERSION": self.version },
        })
    }
}

/// The consensus of the winners, from the predictions of these cells.
///
/// # Errors
/// If a file of predictions cannot be read, or a winner has not predicted its test set.
pub(crate) fn consensus(store: &Store, winners: &[&PlannedCell]) -> Result<Consensus> {
    let mut consensus = Consensus::default();
    for winner in winners {
        let path = store.file(&winner.key, PREDICTIONS);
        let manifest = winner.manifest.as_ref();
        let test_set = manifest.and_then(|manifest| manifest.test_set.clone());
        let test_set = test_set.ok_or_else(|| {
            Error::file(&path, "belongs to an unknown test set; run with --fresh")
        })?;
        consensus.add(test_set, &Predictions::read(&path)?);
    }
    Ok(consensus)
}

/// What the scores of all winners depend on, apart from the model of each.
pub(crate) fn scored<R: Run>(benchmark: &R::Benchmark, consensus: &Consensus) -> Result<Scored> {
    Ok(Scored {
        images: consensus.key()?,
        explained: benchmark.explained(),
        code: [TEST_CODE, R::TEST_VERSION],
    })
}

/// The values by name.
pub(crate) fn values(point: &Point) -> Json {
    point
        .values()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::declare::{Scale, Value};

    /// A change of anything that a fit depends on changes its key.
    #[test]
    fn a_key_changes_with_what_determines_the_result() {
        let inputs = || Inputs {
            experiment: "toy",
            scale: json!("smoke"),
            benchmark: "bars",
            identity: json!({ "images": 100, "files": "a hash" }),
            device: "flex",
            code: 1,
            version: 1,
        };
        let point = |rate| Point::origin(Scale::Smoke).with("rate", Value::Float(rate));
        let key = |inputs: &Inputs, rate| Key::of(&inputs.at(&point(rate))).unwrap();
        let whole = key(&inputs(), 0.1);
        assert_eq!(key(&inputs(), 0.1), whole);
        assert_ne!(key(&inputs(), 0.1 + f64::EPSILON), whole);

        let changed = |change: fn(&mut Inputs)| {
            let mut inputs = inputs();
            change(&mut inputs);
            key(&inputs, 0.1) != whole
        };
        assert!(changed(|inputs| inputs.experiment = "other"));
        assert!(changed(|inputs| inputs.scale = json!("desk")));
        assert!(changed(|inputs| inputs.benchmark = "discs"));
        assert!(changed(|inputs| inputs.identity["images"] = json!(101)));
        assert!(changed(|inputs| inputs.device = "cuda"));
        assert!(changed(|inputs| inputs.code += 1));
        assert!(changed(|inputs| inputs.version += 1));
    }
}
