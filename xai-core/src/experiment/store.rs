//! What is kept on disk, so that nothing is computed twice and a crash cannot hurt.
//!
//! Everything is written aside and then renamed: what has its final name is complete. A cell is
//! what its manifest says; the manifest lists each file with its size and hash, and a file that does
//! not match (a full disk, a power cut) counts as not there.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::progress::check_interrupt;
use super::{Epoch, Validation};
use crate::error::{Error, Result};

/// The model's folder entry in a cell.
pub const MODEL: &str = "model.safetensors";
/// The model's classes on the test set.
pub const PREDICTIONS: &str = "predictions.parquet";
/// The scores of the model's explanations.
pub const SCORES: &str = "scores.parquet";

const MANIFEST: &str = "manifest.json";

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
    /// Everything that determines the result.
    pub inputs: serde_json::Value,
    /// The version of xai-core that computed it.
    pub version: String,
    /// The device it was computed on.
    pub device: String,
    /// The result by which cells are selected.
    pub validation: Validation,
    /// How the training went.
    pub history: Vec<Epoch>,
    /// Seconds that each phase took.
    pub seconds: BTreeMap<String, f64>,
    /// The share of the test set that the model classifies correctly.
    pub test_accuracy: Option<f64>,
    /// The hash of what the scores were made from: the images that every winner classifies correctly, and the code.
    pub scored: Option<Key>,
    /// The cell's files by name.
    pub files: BTreeMap<String, FileRecord>,
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
    folder: PathBuf,
    stages: PathBuf,
}

impl Store {
    /// The store in `<out>/<experiment>`; folders are made when something is kept.
    pub fn new(out: &Path, experiment: &str) -> Self {
        Self {
            folder: out.join(experiment),
            stages: out.join(".stages"),
        }
    }

    /// `<out>/<experiment>`: where the sweep's own files go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a cell.
    pub fn cell(&self, key: &Key) -> PathBuf {
        self.folder.join("cells").join(key.as_str())
    }

    /// What is known about a cell; `None` if it must be fitted.
    ///
    /// Whatever is damaged is reported through `warn` and left out, so that it is computed again.
    pub fn find(&self, key: &Key, warn: impl Fn(String)) -> Option<Manifest> {
        let folder = self.cell(key);
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).ok()?;
        let mut manifest: Manifest = match serde_json::from_slice(&text) {
            Ok(manifest) => manifest,
            Err(error) => {
                warn(format!(
                    "{} is damaged ({error}); the cell is computed again",
                    path.display()
                ));
                return None;
            }
        };
        manifest.files.retain(|name, record| {
            let path = folder.join(name);
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

    /// Keeps a new cell, whose model `save` writes to the path it is given.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(
        &self,
        mut manifest: Manifest,
        save: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Manifest> {
        let folder = self.cell(&manifest.key);
        let aside = aside(&folder);
        clear(&aside)?;
        make_folder(&aside)?;
        save(&aside.join(MODEL))?;
        manifest
            .files
            .insert(MODEL.to_owned(), FileRecord::of(&aside.join(MODEL))?);
        write_json(&aside.join(MANIFEST), &manifest)?;
        clear(&folder)?;
        rename(&aside, &folder)?;
        Ok(manifest)
    }

    /// Adds a file to a cell, then says so in its manifest.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add(
        &self,
        manifest: &mut Manifest,
        name: &str,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let path = self.cell(&manifest.key).join(name);
        let aside = aside(&path);
        write(&aside)?;
        manifest
            .files
            .insert(name.to_owned(), FileRecord::of(&aside)?);
        manifest.status = match () {
            () if manifest.files.contains_key(SCORES) => Status::Tested,
            () if manifest.files.contains_key(PREDICTIONS) => Status::Predicted,
            () => Status::Fitted,
        };
        rename(&aside, &path)?;
        write_json(&self.cell(&manifest.key).join(MANIFEST), manifest)
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
        let folder = self.stages.join(Key::of(&inputs)?.as_str());
        if folder.exists() {
            return Ok(folder);
        }
        make_folder(&self.stages)?;
        let path = folder.with_extension("lock");
        let lock = File::create(&path).map_err(|error| Error::file(&path, error))?;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    check_interrupt()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(TryLockError::Error(error)) => return Err(Error::file(&path, error)),
            }
        }
        // Another process may have finished it while this one waited.
        if !folder.exists() {
            let aside = aside(&folder);
            clear(&aside)?;
            make_folder(&aside)?;
            compute(&aside)?;
            write_json(&aside.join("stage.json"), &inputs)?;
            rename(&aside, &folder)?;
        }
        Ok(folder)
    }
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

/// Writes JSON for people to read, aside and then renamed.
pub(super) fn write_json(path: &Path, content: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(content).map_err(|error| Error::file(path, error))?;
    let aside = aside(path);
    fs::write(&aside, text + "\n").map_err(|error| Error::file(&aside, error))?;
    rename(&aside, path)
}

/// Where to write before renaming: on the same disk, hidden, and this process's own.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::file(path, error))
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file(folder, error))
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::file(to, error))
}
