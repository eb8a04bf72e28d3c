//! A finished run as its files describe it, whatever the design of its experiment is now.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::metrics::Scores;
use crate::sweep::keep::{PLAN, PREDICTIONS, Predictions, SCORES, Store, read_scores};

/// A finished run.
pub(super) struct FinishedRun {
    /// The names of its axes.
    pub axes: Vec<String>,
    /// The winners.
    pub cells: Vec<FinishedCell>,
    /// What it was run with: settings, code, data and device.
    pub facts: Json,
}

/// A winner of a finished run.
pub(super) struct FinishedCell {
    /// The text of each parameter's value.
    pub values: BTreeMap<String, String>,
    pub test_set: Option<Key>,
    pub predictions: Predictions,
    pub scores: Scores,
}

impl FinishedRun {
    /// The run in a folder with a `plan.json`.
    ///
    /// # Errors
    /// If there is none, if the run has not finished, or if a file is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN);
        let problem = |problem: String| Error::file(&path, problem);
        let text = std::fs::read(&path).map_err(|error| {
            problem(format!(
                "{error}; name the folder of a run, such as runs/my_study"
            ))
        })?;
        let plan: Json = serde_json::from_slice(&text)
            .map_err(|error| problem(format!("is damaged or of another version ({error})")))?;
        if plan["finished"] != true {
            return Err(problem("is of a run that has not finished".to_owned()));
        }
        let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
        let factors = list(&plan["factors"]);
        let name = |factor: &Json| factor["name"].as_str().unwrap_or_default().to_owned();
        let axes = factors.iter().filter(|factor| factor["role"] == "axis");
        let store = match &plan["restricted"] {
            Json::Null => Store::at(folder.to_owned(), folder.join("../.stages")),
            part => {
                let label = part["label"].as_str().unwrap_or_default();
                let root = folder.join("../..");
                Store::at(root.clone(), root.join("../.stages")).restricted(label)
            }
        };
        let mut facts = json!({
            "experiment": plan["experiment"],
            "settings": {
                "scale": plan["scale"],
                "values": factors.iter().map(|factor| (name(factor), factor["levels"].clone())).collect::<Json>(),
            },
            "data": plan["benchmark"],
            "device": { "kind": plan["device"], "adapters": plan["adapters"] },
            "code": { "program": plan["code"], "outside of the file": plan["outside_of_the_file"] },
        });
        let mut cells = Vec::new();
        for cell in list(&plan["cells"])
            .iter()
            .filter(|cell| cell["winner"] == true)
        {
            let key: Key = serde_json::from_value(cell["key"].clone()).map_err(Error::invalid)?;
            let found = store.find_tested(&key);
            let manifest = found.ok_or_else(|| {
                problem(format!(
                    "names the cell {key}, whose files are not there; a part of a run (`partial/..`) needs the folder of the \
                     whole run around it"
                ))
            })?;
            // The code in the file is the same for all cells of a run.
            facts["code"]["keys"] = manifest.inputs["code"].clone();
            let scored = manifest.scored.as_ref();
            facts["code"]["test"] = json!(scored.map(|scored| &scored.file));
            facts["code"]["TEST_CODE, TEST_VERSION"] = json!(scored.map(|scored| scored.code));
            let text = |value: &Json| match value {
                Json::String(text) => text.clone(),
                value => value.to_string(),
            };
            let values = cell["values"].as_object().into_iter().flatten();
            cells.push(FinishedCell {
                values: values
                    .map(|(name, value)| (name.clone(), text(value)))
                    .collect(),
                test_set: manifest.test_set.clone(),
                predictions: Predictions::read(&store.intact(&manifest, PREDICTIONS)?)?,
                scores: read_scores(&store.intact(&manifest, SCORES)?)?,
            });
        }
        Ok(Self {
            axes: axes.map(name).collect(),
            cells,
            facts,
        })
    }

    /// The text of each level of a cell.
    pub fn levels(&self, cell: &FinishedCell) -> Vec<String> {
        let level = |axis: &String| cell.values.get(axis).cloned().unwrap_or_default();
        self.axes.iter().map(level).collect()
    }
}
