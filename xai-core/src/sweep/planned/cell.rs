//! A cell of a sweep: what determines it, and what the store has for it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::options::SweepOptions;
use crate::error::{Error, Result};
use crate::key::{FINGERPRINT, FIT_CODE, Key, TEST_CODE};
use crate::sweep::context::{Consensus, Study};
use crate::sweep::declare::{CodeItems, Point, Spec};
use crate::sweep::keep::{
    MAPS, Manifest, Outside, PREDICTIONS, Predictions, SCORES, Scored, Store,
};
use crate::sweep::plan::Plan;

/// A point of the design and what is known about it.
pub(crate) struct PlannedCell {
    pub point: Point,
    pub key: Key,
    /// Without its `inputs`, which are large and known here.
    pub manifest: Option<Box<Manifest>>,
    /// What determines the model, apart from the values.
    of_cell: Arc<Inputs>,
    /// The maximum number of test images that are explained.
    explained: usize,
    /// Set in a run that recomputes everything: the fit to ignore.
    stale: Option<String>,
    /// Set in a run with `--fresh-code`: the code that everything must be computed by.
    only_by: Option<Outside>,
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

    /// Whether its explanations were scored as the winners would be now, on images on which they still agree.
    pub fn is_tested(&self, now: &Agreed) -> bool {
        let known = self.known_scores(&now.scored);
        let asked = known.and_then(|known| known.asked.as_deref());
        asked.is_some_and(|asked| now.consensus.confirms(asked))
    }

    /// Whether its explanations were scored by the code that scores now, on whatever images.
    pub fn is_scored_by(&self, now: &Scored) -> bool {
        let known = self.known_scores(now);
        known.is_some_and(|known| known.asked.is_some())
    }

    /// What its scores depend on, if that is the same now apart from the images that it asked for.
    fn known_scores(&self, now: &Scored) -> Option<&Scored> {
        let manifest = (self.manifest.as_ref()).filter(|_| self.has(SCORES) && self.has(MAPS))?;
        manifest.scored.as_ref().filter(|known| {
            let rest = Scored {
                asked: None,
                by: Outside::new(),
                ..(*known).clone()
            };
            rest == self.scored(now)
        })
    }

    /// What its scores depend on, apart from the model. Its benchmark may explain more or fewer images than that of
    /// another cell.
    pub fn scored(&self, now: &Scored) -> Scored {
        Scored {
            explained: self.explained,
            ..now.clone()
        }
    }

    /// Reads the store again, because another process may have made progress.
    pub fn refresh(&mut self, store: &Store, warn: &dyn Fn(String)) {
        self.manifest = None;
        let found = store.find(&self.key, warn);
        let found = found.filter(|found| Some(&found.fit) != self.stale.as_ref());
        let found = found.and_then(|found| match &self.only_by {
            Some(code) => found.by_this_code(code),
            None => Some(found),
        });
        if let Some(found) = found {
            self.keep(found);
        }
    }
}

/// Cells of a plan, by their positions, with their keys and what the store has for them.
pub(super) fn cells(
    study: &dyn Study,
    plan: &Plan,
    which: &[usize],
    options: &SweepOptions,
    store: &Store,
    warn: &dyn Fn(String),
) -> Result<Vec<PlannedCell>> {
    let [version, _] = study.versions();
    let mut of_cell = Arc::new(Inputs {
        experiment: plan.name,
        scale: json!(options.scale),
        benchmark: study.benchmark_name(),
        identity: Json::Null,
        classes: Vec::new(),
        device: options.devices.kind(),
        code: FIT_CODE,
        version,
        file: json!(study.spec().code.map(|code| items(code.fit))),
    });
    let cell = |&at: &usize| {
        let point = &plan.cells[at];
        let benchmark = study.benchmark_at(point)?;
        // Most cells have the same benchmark.
        if of_cell.identity != benchmark.identity {
            of_cell = Arc::new(Inputs {
                identity: benchmark.identity,
                classes: benchmark.classes,
                ..Inputs::clone(&of_cell)
            });
        }
        let mut cell = PlannedCell {
            point: point.clone(),
            key: Key::of(&of_cell.at(point))?,
            manifest: None,
            of_cell: of_cell.clone(),
            explained: benchmark.explained,
            stale: None,
            only_by: options.fresh_code.then(|| store.code().clone()),
        };
        cell.refresh(store, warn);
        if options.fresh {
            cell.stale = cell.manifest.take().map(|manifest| manifest.fit);
        }
        Ok(cell)
    };
    which.iter().map(cell).collect()
}

/// The names of the classes in the benchmarks of these cells. A class with different names is `class 0`. Empty if the
/// benchmarks have different numbers of classes.
pub(crate) fn classes<'a>(cells: impl IntoIterator<Item = &'a PlannedCell>) -> Vec<String> {
    let all = different(cells.into_iter().map(|cell| &cell.of_cell.classes));
    let mut names = all.first().copied().cloned().unwrap_or_default();
    if all.iter().any(|others| others.len() != names.len()) {
        return Vec::new();
    }
    for (class, name) in names.iter_mut().enumerate() {
        if all.iter().any(|others| others[class] != *name) {
            *name = format!("class {class}");
        }
    }
    names
}

/// The identity of the benchmarks of these cells. Where they differ, it has a list of what they are.
pub(super) fn identity(cells: &[PlannedCell]) -> Json {
    let all: Vec<_> = cells.iter().map(|cell| &cell.of_cell.identity).collect();
    merged(&all)
}

/// The first of each kind, in order.
fn different<'a, T: Eq + Hash>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut known = HashSet::new();
    all.filter(|one| known.insert(*one)).collect()
}

fn merged(all: &[&Json]) -> Json {
    let different = different(all.iter().copied());
    if let [one] = different[..] {
        return one.clone();
    }
    let objects = different.iter().map(|one| one.as_object());
    let Some(objects) = objects.collect::<Option<Vec<_>>>() else {
        return json!(different);
    };
    let names: BTreeSet<&String> = objects.iter().flat_map(|one| one.keys()).collect();
    let entry = |name: &String| {
        let values: Vec<_> = objects.iter().filter_map(|one| one.get(name)).collect();
        (name.clone(), merged(&values))
    };
    names.into_iter().map(entry).collect()
}

/// What determines a model, apart from the values of its cell.
#[derive(Clone)]
struct Inputs {
    experiment: &'static str,
    scale: Json,
    benchmark: &'static str,
    /// The identity of the benchmark of this cell.
    identity: Json,
    /// Its classes, which are part of what the identity stands for.
    classes: Vec<String>,
    device: &'static str,
    code: u32,
    version: u32,
    /// The items of the experiment's file that a fit uses, with their hashes.
    file: Json,
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
            "code": { "FIT_CODE of xai-core": self.code, "FIT_VERSION": self.version, "file": self.file },
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
pub(crate) struct Agreed {
    /// Without the images, which each cell asks for. The number of explained images is that of the run's own benchmark;
    /// see [`PlannedCell::scored`].
    pub scored: Scored,
    /// Answers which images those are.
    pub consensus: Arc<Consensus>,
}

/// What the scores of winners with this consensus depend on.
pub(crate) fn agreed(study: &dyn Study, consensus: Consensus) -> Agreed {
    Agreed {
        scored: scored(study),
        consensus: Arc::new(consensus),
    }
}

/// What the scores of all winners depend on, apart from the model of each and the images.
pub(crate) fn scored(study: &dyn Study) -> Scored {
    let [_, version] = study.versions();
    Scored {
        asked: None,
        explained: study.explained(),
        code: [TEST_CODE, version],
        file: study.spec().code.map(|code| items(code.test)),
        by: Outside::new(),
    }
}

/// The key of what the scores of these cells depend on, apart from their models and images.
pub(crate) fn scored_key(study: &dyn Study, cells: &[PlannedCell]) -> Result<Key> {
    let explained: Vec<_> = cells.iter().map(|cell| cell.explained).collect();
    Key::of(&(scored(study), explained))
}

/// The code that runs, outside of the experiment's file.
pub(super) fn outside(spec: &Spec) -> Outside {
    let mut code = items(spec.outside);
    code.insert("xai-core".to_owned(), FINGERPRINT.to_owned());
    code
}

/// The items of an experiment's file by name, with their hashes.
fn items(items: CodeItems) -> BTreeMap<String, String> {
    let owned = |(name, hash): &(&str, &str)| ((*name).to_owned(), (*hash).to_owned());
    items.iter().map(owned).collect()
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

    #[test]
    fn identities_are_merged() {
        let [one, other] = [1, 2].map(|size| json!({ "of": { "size": size, "seed": 7 }, "n": 3 }));
        assert_eq!(merged(&[&one, &one]), one);
        let both = json!({ "of": { "size": [1, 2], "seed": 7 }, "n": 3 });
        assert_eq!(merged(&[&one, &other, &one]), both);
        let more = json!({ "of": null });
        assert_eq!(merged(&[&one, &more])["of"], json!([one["of"], null]));
    }

    /// A change of anything that a fit depends on changes its key.
    #[test]
    fn a_key_changes_with_what_determines_the_result() {
        let inputs = || Inputs {
            experiment: "toy",
            scale: json!("smoke"),
            benchmark: "bars",
            identity: json!({ "images": 100, "files": "a hash" }),
            classes: Vec::new(),
            device: "flex",
            code: 1,
            version: 1,
            file: json!({ "fit": "a hash" }),
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
        assert!(changed(|inputs| inputs.file["fit"] = json!("another")));
    }
}
