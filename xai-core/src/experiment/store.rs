//! What is kept on disk, so that nothing is computed twice and a crash cannot hurt.
//!
//! Everything is written aside and then renamed: what has its final name is complete. A cell is
//! what its manifest says; the manifest lists each file with its size and hash, and a file that does
//! not match (a full disk, a power cut) counts as not there. Whoever writes a cell or a stage holds its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::lock::Lock;
use super::whole::{make_folder, whole_file, whole_folder};
use super::{Epoch, Validation};
use crate::error::{Error, Result};

pub(super) use super::whole::write_json;

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

const MANIFEST: &str = "manifest.json";
/// What a stage was made from, and its files.
const STAGE: &str = "stage.json";
const CELLS: &str = "cells";

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

/// The folder of an experiment's runs, and that of the stages beside it.
#[derive(Clone, Debug)]
pub struct Store {
    /// Of scores, plan and reports.
    folder: PathBuf,
    /// Of models, predictions and logs: the same, unless the run is restricted.
    models: PathBuf,
    stages: PathBuf,
    /// In a run that computes everything again: the stages that it has computed.
    renewed: Option<Arc<Mutex<BTreeSet<Key>>>>,
}

impl Store {
    /// The store in `<out>/<experiment>`; folders are made when something is kept.
    pub fn new(out: &Path, experiment: &str) -> Self {
        Self::at(out.join(experiment), out.join(".stages"))
    }

    /// The store in a folder, with its stages in another.
    pub(super) fn at(folder: PathBuf, stages: PathBuf) -> Self {
        Self {
            models: folder.clone(),
            folder,
            stages,
            renewed: None,
        }
    }

    /// The store of a restricted run, whose scores and reports have a folder of their own: they are
    /// made on other images than those of the whole experiment. Models are shared.
    pub fn restricted(self, label: &str) -> Self {
        Self {
            folder: self.models.join("partial").join(label),
            ..self
        }
    }

    /// The store of a run that does not believe in stages computed before it.
    pub fn without_old_stages(self) -> Self {
        Self {
            renewed: Some(Arc::default()),
            ..self
        }
    }

    /// Where the sweep's own files go: `<out>/<experiment>`, or the folder of a restricted run in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the stages.
    pub(super) fn stages(&self) -> &Path {
        &self.stages
    }

    /// The folder of a cell's model and predictions.
    pub fn cell(&self, key: &Key) -> PathBuf {
        self.models.join(CELLS).join(key.as_str())
    }

    /// Where a cell's file is.
    pub fn file(&self, key: &Key, name: &str) -> PathBuf {
        self.place(key, name).join(name)
    }

    /// The folder of a cell's file: scores lie with the run that they belong to.
    fn place(&self, key: &Key, name: &str) -> PathBuf {
        match name {
            name if of_the_run(name) => self.folder.join(CELLS).join(key.as_str()),
            _ => self.cell(key),
        }
    }

    /// Where the messages about a cell go, of a failed one too.
    pub fn log(&self, key: &Key) -> PathBuf {
        self.models.join("logs").join(format!("{key}.log"))
    }

    /// Writes a file of the sweep itself.
    pub(super) fn keep(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let _lock = Lock::of_reports(&self.folder)?;
        write_json(&self.folder.join(name), content)
    }

    /// The right to write a cell; `None` while somebody else has it.
    pub(super) fn try_lock(&self, key: &Key) -> Result<Option<Lock>> {
        Lock::attempt(&self.models.join(".locks").join(key.as_str()))
    }

    /// What is known about a cell; `None` if it must be fitted.
    ///
    /// Whatever is damaged is reported through `warn` and left out, so that it is computed again.
    pub fn find(&self, key: &Key, warn: impl Fn(String)) -> Option<Manifest> {
        let mut manifest = read(&self.cell(key), &warn)?;
        if self.folder != self.models {
            manifest.files.retain(|name, _| !of_the_run(name));
            manifest.scored = None;
            let folder = self.place(key, SCORES);
            // Scores of another fit of this cell, before a --fresh, are not this one's.
            let own = read(&folder, &warn).filter(|own| own.fit == manifest.fit);
            if let Some(own) = own {
                let files = own.files.into_iter();
                manifest
                    .files
                    .extend(files.filter(|(name, _)| of_the_run(name)));
                manifest.scored = own.scored;
            }
        }
        manifest.files.retain(|name, record| {
            let path = self.file(key, name);
            // A model may be large: its size is checked here, and its content when it is loaded.
            let sound = match name.as_str() {
                MODEL => fs::metadata(&path).is_ok_and(|file| file.len() == record.bytes),
                _ => FileRecord::of(&path).is_ok_and(|found| found == *record),
            };
            if !sound {
                warn(format!(
                    "{} is missing or damaged; it is computed again",
                    path.display()
                ));
            }
            sound
        });
        manifest.files.contains_key(MODEL).then_some(manifest)
    }

    /// The manifests of all cells that were ever fitted here and that this version can read.
    pub(super) fn all(&self) -> Vec<Manifest> {
        let folders = fs::read_dir(self.models.join(CELLS));
        let folders = folders.into_iter().flatten().flatten();
        folders
            .filter_map(|folder| read(&folder.path(), &|_| ()))
            .collect()
    }

    /// The path of a cell's model, whose content is what was kept.
    ///
    /// # Errors
    /// If it is not.
    pub fn model(&self, manifest: &Manifest) -> Result<PathBuf> {
        let path = self.cell(&manifest.key).join(MODEL);
        match manifest.files.get(MODEL) == Some(&FileRecord::of(&path)?) {
            true => Ok(path),
            false => Err(Error::file(
                &path,
                "is damaged; delete its folder and run again",
            )),
        }
    }

    /// Keeps a new cell, whose model `save` writes to the path it is given. The caller holds its lock.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(
        &self,
        mut manifest: Manifest,
        save: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Manifest> {
        whole_folder(&self.cell(&manifest.key), |aside| {
            save(&aside.join(MODEL))?;
            manifest
                .files
                .insert(MODEL.to_owned(), FileRecord::of(&aside.join(MODEL))?);
            write_json(&aside.join(MANIFEST), &manifest)
        })?;
        Ok(manifest)
    }

    /// Adds a file to a cell, then says so in its manifest. The caller holds its lock.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add(
        &self,
        manifest: &mut Manifest,
        name: &str,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let folder = self.place(&manifest.key, name);
        make_folder(&folder)?;
        let record = whole_file(&folder.join(name), |aside| {
            write(aside)?;
            FileRecord::of(aside)
        })?;
        manifest.files.insert(name.to_owned(), record);
        let mut kept = manifest.clone();
        if !of_the_run(name) && self.folder != self.models {
            // A restricted run knows its own scores; those of the whole experiment stay as they are.
            let own = read(&folder, &|_| ());
            kept.files.retain(|name, _| !of_the_run(name));
            kept.scored = None;
            if let Some(own) = own {
                let files = own.files.into_iter();
                kept.files
                    .extend(files.filter(|(name, _)| of_the_run(name)));
                kept.scored = own.scored;
            }
        }
        kept.status = match () {
            () if kept.files.contains_key(SCORES) => Status::Tested,
            () if kept.files.contains_key(PREDICTIONS) => Status::Predicted,
            () => Status::Fitted,
        };
        manifest.status = kept.status;
        write_json(&folder.join(MANIFEST), &kept)
    }

    /// The folder of a stage, computed by `compute` unless it is there already.
    ///
    /// The folder's key is a hash of `name` and `inputs`. `compute` fills the folder it is given. Of
    /// several processes that want the same stage one computes it while the others wait.
    ///
    /// # Errors
    /// What `compute` gives; [`Error::Interrupted`] while waiting; if files cannot be written.
    pub fn stage(
        &self,
        name: &str,
        inputs: &impl Serialize,
        compute: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let inputs = serde_json::json!({ "stage": name, "inputs": inputs });
        let key = Key::of(&inputs)?;
        let folder = self.stages.join(key.as_str());
        if self.has_stage(&key, &folder) {
            return Ok(folder);
        }
        let _lock = Lock::wait(&folder.with_extension("lock"))?;
        // Another process may have finished it while this one waited.
        if !self.has_stage(&key, &folder) {
            whole_folder(&folder, |aside| {
                compute(aside)?;
                let mut record = inputs;
                record["bytes"] = serde_json::json!(sizes(aside)?);
                write_json(&aside.join(STAGE), &record)
            })?;
            if let Some(renewed) = &self.renewed {
                let mut renewed = renewed.lock().unwrap_or_else(PoisonError::into_inner);
                renewed.insert(key);
            }
        }
        Ok(folder)
    }

    fn has_stage(&self, key: &Key, folder: &Path) -> bool {
        let believed = self.renewed.as_ref().is_none_or(|renewed| {
            let renewed = renewed.lock().unwrap_or_else(PoisonError::into_inner);
            renewed.contains(key)
        });
        believed && is_whole(folder)
    }
}

/// The bytes of each file in a folder.
fn sizes(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let problem = |error| Error::file(folder, error);
    let entries = fs::read_dir(folder).map_err(problem)?;
    let mut sizes = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(problem)?;
        let found = entry.metadata().map_err(problem)?;
        if found.is_file() {
            sizes.insert(
                entry.file_name().to_string_lossy().into_owned(),
                found.len(),
            );
        }
    }
    Ok(sizes)
}

/// Whether a stage's folder has all that was put into it. One that has not, after a full disk or an unlucky
/// hand, counts as not there.
fn is_whole(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct Record {
        bytes: BTreeMap<String, u64>,
    }
    let text = fs::read(folder.join(STAGE)).ok();
    let record = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    record.is_some_and(|record| {
        record.bytes.iter().all(|(name, bytes)| {
            fs::metadata(folder.join(name)).is_ok_and(|file| file.len() == *bytes)
        })
    })
}

fn of_the_run(file: &str) -> bool {
    OF_THE_RUN.contains(&file)
}

/// The manifest in a cell's folder.
fn read(folder: &Path, warn: &impl Fn(String)) -> Option<Manifest> {
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
    fn of(path: &Path) -> Result<Self> {
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
