//! The manifest of a cell, and the names of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::device::Adapter;
use crate::error::Result;
use crate::key::{Key, hash_of_file};
use crate::training::{Epoch, Errors, Validation};

/// The file of the model.
pub const MODEL: &str = "model.safetensors";
/// The model's predictions for the test set.
pub const PREDICTIONS: &str = "predictions.parquet";
/// The scores of the model's explanations.
pub const SCORES: &str = "scores.parquet";
/// Some of the heat maps that were scored, for the user to look at.
pub const MAPS: &str = "maps.safetensors";

/// The files that depend on the images on which all winners of a run agree. They belong to the run.
const OF_THE_RUN: [&str; 2] = [SCORES, MAPS];

pub(crate) const MANIFEST: &str = "manifest.json";

/// Fingerprints of the code outside of an experiment's file, by package.
pub type Outside = BTreeMap<String, String>;

/// The progress of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The model is saved.
    Fitted,
    /// The test set has been predicted.
    Predicted,
    /// The explanations are scored.
    Tested,
}

/// The record of a cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of `inputs`.
    pub key: Key,
    /// The progress of the cell.
    pub status: Status,
    /// The values of the parameters, as readable text. They are also part of the inputs.
    pub cell: String,
    /// Everything that determines the model.
    pub inputs: serde_json::Value,
    /// The version of xai-core that computed the cell.
    pub version: String,
    /// The device it was computed on.
    pub device: String,
    /// The GPU of the device and its driver. Empty for a CPU.
    #[serde(default)]
    pub adapter: Option<Adapter>,
    /// A unique name of this fit.
    pub fit: String,
    /// The result used to select cells.
    pub validation: Validation,
    /// The record of the training.
    pub history: Vec<Epoch>,
    /// The seconds of each phase. `stages` is the part of the fit spent on shared stages. `spared`
    /// is the time that a training would have taken if it had not been done already.
    pub seconds: BTreeMap<String, f64>,
    /// The share of the test set that the model classifies correctly.
    pub test_accuracy: Option<f64>,
    /// How far a regression is off on the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_errors: Option<Errors>,
    /// The key of the test set, once it has been predicted.
    pub test_set: Option<Key>,
    /// What the scores depend on, apart from the model.
    pub scored: Option<Scored>,
    /// The code that fitted the model, outside of the experiment's file.
    #[serde(default)]
    pub fitted_by: Outside,
    /// The code that predicted the test set, likewise.
    #[serde(default)]
    pub predicted_by: Outside,
    /// The cell's files by name.
    pub files: BTreeMap<String, FileRecord>,
}

/// What determines the scores of a model's explanations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The images that `test` asked for by what the winners make of them. Empty if it asked for others, such as all.
    /// Scores of an earlier version do not say it.
    #[serde(default)]
    pub asked: Option<Vec<Asked>>,
    /// The maximum number of images that are explained.
    pub explained: usize,
    /// The versions of the code: this crate's, and that of the experiment's `test`.
    pub code: [u32; 2],
    /// The items of the experiment's file that `test` and `references` use, with their hashes. `None` if the file
    /// could not be read.
    #[serde(default)]
    pub file: Option<BTreeMap<String, String>>,
    /// The code that scored, outside of the experiment's file. A change to it is reported and is no reason to score
    /// again.
    #[serde(default)]
    pub by: Outside,
}

/// Images whose choice depends on all winners of a run, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Which images.
    pub images: ChosenByWinners,
    /// The hash of their positions in the test set, or that of a refusal.
    pub answer: Key,
}

/// Test images chosen by what the winners of the selection make of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenByWinners {
    /// Those that every winner classifies correctly.
    CorrectByAll,
    /// Those of the test set with this key that every winner tested on it classifies correctly.
    CorrectByAllTestedOn(Key),
    /// Those that every winner misclassifies.
    WrongByAll,
    /// Those that some winners misclassify and others do not.
    Disputed,
}

/// The expected size and hash of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its size.
    pub bytes: u64,
    /// The hash of its content.
    pub blake3: String,
}

impl Manifest {
    /// The names of the code that has changed since something in this cell was computed.
    pub(crate) fn other_code(&self, now: &Outside) -> BTreeSet<String> {
        let scored = self.scored.as_ref().map(|scored| &scored.by);
        let predicted = self.test_set.as_ref().map(|_| &self.predicted_by);
        let known = [Some(&self.fitted_by), predicted, scored];
        (known.into_iter().flatten())
            .flat_map(|before| changed(before, now))
            .collect()
    }

    /// The manifest without what other code has computed. `None` if that is the model.
    pub(crate) fn by_this_code(mut self, now: &Outside) -> Option<Self> {
        if self.fitted_by != *now {
            return None;
        }
        if self.predicted_by != *now {
            self.files.remove(PREDICTIONS);
            self.test_set = None;
        }
        if self.scored.as_ref().is_some_and(|scored| scored.by != *now) {
            self.forget_test();
        }
        Some(self)
    }

    /// Leaves out the scores, the heat maps and what they depend on.
    pub(super) fn forget_test(&mut self) {
        self.files.retain(|name, _| !of_the_run(name));
        self.scored = None;
    }
}

/// The names whose fingerprints differ.
fn changed(before: &Outside, now: &Outside) -> Vec<String> {
    let names = now.keys().chain(before.keys());
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    names.filter(differs).cloned().collect()
}

/// Notes in `known` what other code than `now` has computed: the fingerprints in which `other` differs from `now`.
pub(crate) fn note_other(known: &mut Outside, other: &Outside, now: &Outside) {
    for name in changed(other, now) {
        match other.get(&name) {
            Some(fingerprint) => known.insert(name, fingerprint.clone()),
            None => known.remove(&name),
        };
    }
}

/// Whether a file belongs to the run and not to the cell alone.
pub(crate) fn of_the_run(file: &str) -> bool {
    OF_THE_RUN.contains(&file)
}

/// Reads the manifest in a cell's folder.
pub(crate) fn read(folder: &Path, warn: &dyn Fn(String)) -> Option<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).ok()?;
    serde_json::from_slice(&text)
        .map_err(|error| {
            warn(format!(
                "{} is damaged or of another version ({error}); the cell is computed again",
                path.display()
            ));
        })
        .ok()
}

/// As [`read`], for the cell of `key`. A folder that was copied from another cell does not count.
pub(crate) fn read_of(key: &Key, folder: &Path, warn: &dyn Fn(String)) -> Option<Manifest> {
    let manifest = read(folder, warn)?;
    if manifest.key != *key {
        warn(format!(
            "{} is of another cell ({}); the cell is computed again",
            folder.join(MANIFEST).display(),
            manifest.key
        ));
        return None;
    }
    Some(manifest)
}

impl FileRecord {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let (bytes, hash) = hash_of_file(path)?;
        Ok(Self {
            bytes,
            blake3: hash.to_hex().to_string(),
        })
    }
}
