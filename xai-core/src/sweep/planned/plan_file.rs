//! The file `plan.json`, which says what a sweep is.

use std::collections::BTreeSet;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::cell::{PlannedCell, classes, identity, values};
use super::options::SweepOptions;
use super::planned_sweep::PlannedSweep;
use crate::error::Result;
use crate::sweep::context::Study;
use crate::sweep::keep::{PLAN, Store, provenance};

/// The content of `plan.json`. The cells, of which there may be a million, are written one by one.
pub(crate) struct PlanFile {
    /// The entries before and after the cells.
    head: Json,
    tail: Json,
    winners: BTreeSet<usize>,
}

impl PlanFile {
    /// The content before the run.
    pub fn new(study: &dyn Study, planned: &PlannedSweep, options: &SweepOptions) -> Self {
        let plan = &planned.plan;
        let command = std::env::args_os();
        let head = json!({
            "experiment": plan.name,
            "description": planned.spec.description,
            "command": command.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            "code": provenance(),
            "outside_of_the_file": planned.store.code(),
            "device": options.devices.to_string(),
            "adapters": options.devices.adapters(),
            "scale": plan.scale,
            "benchmark": {
                "name": study.benchmark_name(),
                "about": study.about(),
                "classes": classes(&planned.cells),
                "explained": study.explained(),
                "one_space": study.one_space(),
                "identity": identity(&planned.cells),
            },
            "restricted": plan.restricted,
            "finished": false,
            "factors": plan.factors,
        });
        let tail = json!({
            "baselines": null,
            "other_code": null,
            "skipped": plan.skipped,
            "absent": plan.absent,
        });
        Self {
            head,
            tail,
            winners: BTreeSet::new(),
        }
    }

    /// Records the end of the run: the winners, the name of the stage of the references, and what is to be said of
    /// results that other code has computed.
    pub fn finish(&mut self, winners: &[usize], references: &str, other_code: Option<String>) {
        self.winners = winners.iter().copied().collect();
        self.tail["baselines"] = json!(references);
        self.tail["other_code"] = json!(other_code);
        self.head["finished"] = json!(true);
    }

    /// The content with its cells: an object whose entries before and after the cells are extended by
    /// `first` and `last`, and each cell by what `extend` adds.
    pub fn with<'a>(
        &'a self,
        cells: &'a [PlannedCell],
        first: Json,
        last: Json,
        extend: impl Fn(&PlannedCell, &mut Json) + 'a,
    ) -> impl Serialize + 'a {
        Content {
            file: self,
            cells,
            first,
            last,
            extend,
        }
    }

    /// Writes the file. The caller has claimed the files of the sweep.
    pub fn keep(&self, store: &Store, cells: &[PlannedCell]) -> Result<()> {
        store.keep(PLAN, &self.with(cells, Json::Null, Json::Null, |_, _| ()))
    }
}

struct Content<'a, E> {
    file: &'a PlanFile,
    cells: &'a [PlannedCell],
    first: Json,
    last: Json,
    extend: E,
}

impl<E: Fn(&PlannedCell, &mut Json)> Serialize for Content<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = |json: &'_ Json| json.as_object().cloned().unwrap_or_default();
        let mut map = serializer.serialize_map(None)?;
        for (name, entry) in entries(&self.first).iter().chain(&entries(&self.file.head)) {
            map.serialize_entry(name, entry)?;
        }
        map.serialize_entry("cells", &Cells(self))?;
        for (name, entry) in entries(&self.file.tail).iter().chain(&entries(&self.last)) {
            map.serialize_entry(name, entry)?;
        }
        map.end()
    }
}

struct Cells<'a, E>(&'a Content<'a, E>);

impl<E: Fn(&PlannedCell, &mut Json)> Serialize for Cells<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Content {
            file,
            cells,
            extend,
            ..
        } = self.0;
        serializer.collect_seq(cells.iter().enumerate().map(|(at, cell)| {
            let mut entry = json!({ "key": cell.key, "cell": cell.point.to_string(),
                "values": values(&cell.point), "winner": file.winners.contains(&at) });
            extend(cell, &mut entry);
            entry
        }))
    }
}
