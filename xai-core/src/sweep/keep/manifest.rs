//! What is known about a cell: its manifest, and the names of its files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::training::{Epoch, Validation};

/// The model's folder entry in a cell.
pub const MODEL: &str = "model.safetensors";
/// What the model says about the test set.
pub const PREDICTIONS: &str = "predictions.parquet";
/// The scores of the model's explanations.
pub const SCORES: &str = "scores.parquet";
/// Some of the heat maps that were scored, for people to look at.
pub const MAPS: &str = "maps.safetensors";

/// The files that are made on the images that all winners of a run agree on, and so belong to the run.
const OF_THE_RUN: [&str; 2] = [SCORES, MAPS];

pub(crate) const MANIFEST: &str = "manifest.json";

/// How far a cell has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a model.
    Fitted,
    /// It has seen the test set.
    Predicted,
    /// Its explanations are scored.
    Tested,
}

/// What is known about a cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of `inputs`.
    pub key: Key,
    /// How far the cell has come.
    pub status: Status,
    /// The parameters' values, for people; they are among the inputs too.
    pub cell: String,
    /// Everything that determines the model.
    pub inputs: serde_json::Value,
    /// The version of xai-core that computed it.
    pub version: String,
    /// The device it was computed on.
    pub device: String,
    /// Which fit this is of: no two have the same name.
    pub fit: String,
    /// The result by which cells are selected.
    pub validation: Validation,
    /// How the training went.
    pub history: Vec<Epoch>,
    /// Seconds that each phase took; `stages` are those of the fit that went to what cells share, `spared` those that
    /// a training would have taken that was there already.
    pub seconds: BTreeMap<String, f64>,
    /// The share of the test set that the model classifies correctly.
    pub test_accuracy: Option<f64>,
    /// The key of the test set, once the model has seen it.
    pub test_set: Option<Key>,
    /// What the scores were made from, beside the model.
    pub scored: Option<Scored>,
    /// The cell's files by name.
    pub files: BTreeMap<String, FileRecord>,
}

/// What determines the scores of a model's explanations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The hash of how many winners classify each test image correctly.
    pub images: Key,
    /// How many of them are explained at most.
    pub explained: usize,
    /// The versions of the code: ours, and that of the experiment's `test`.
    pub code: [u32; 2],
}

/// What a file must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its size.
    pub bytes: u64,
    /// The hash of its content.
    pub blake3: String,
}

/// Whether a file belongs to the run, and not to the cell alone.
pub(crate) fn of_the_run(file: &str) -> bool {
    OF_THE_RUN.contains(&file)
}

/// The manifest in a cell's folder.
pub(crate) fn read(folder: &Path, warn: &impl Fn(String)) -> Option<Manifest> {
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

impl FileRecord {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| Error::file(path, error))?;
        let mut hash = blake3::Hasher::new();
        let bytes =
            std::io::copy(&mut file, &mut hash).map_err(|error| Error::file(path, error))?;
        Ok(Self {
            bytes,
            blake3: hash.finalize().to_hex().to_string(),
        })
    }
}
