//! Stages: intermediate results that cells and experiments share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::claims::Claim;
use super::manifest::{FileRecord, Outside};
use super::store::{STAGING, Store};
use crate::error::{Error, Result};
use crate::files::{put_json, write_folder};
use crate::key::Key;

/// The inputs of a stage, and its files.
const STAGE: &str = "stage.json";

impl Store {
    /// The folder of a stage, computed by `compute` unless it is already done.
    ///
    /// The folder's key is a hash of `name` and `inputs`. `compute` fills the folder it is given, and
    /// returns the code outside of the experiment's file that the content comes from: this program's, or
    /// that of an older stage that it uses. If several processes need the same stage, one computes it while the others wait.
    /// A stage whose files have changed since they were written is computed again.
    ///
    /// # Errors
    /// If `compute` fails; [`Error::Interrupted`] while waiting; if files cannot be written.
    pub fn stage(
        &self,
        name: &str,
        inputs: &impl Serialize,
        compute: impl FnOnce(&Path) -> Result<Outside>,
    ) -> Result<PathBuf> {
        let inputs = serde_json::json!({ "stage": name, "inputs": inputs });
        let key = Key::of(&inputs)?;
        let folder = self.stages.join(key.as_str());
        if self.has_stage(&key, &folder) {
            return Ok(folder);
        }
        let _claim = Claim::wait(&folder.with_extension("claim"))?;
        // Another process may have finished it while this one waited.
        if !self.has_stage(&key, &folder) {
            write_folder(&folder, &self.stages.join(STAGING), |aside| {
                let code = compute(aside)?;
                let mut record = inputs;
                let Files { bytes, blake3 } = Files::of(aside)?;
                record["bytes"] = serde_json::json!(bytes);
                record["blake3"] = serde_json::json!(blake3);
                record["code"] = serde_json::json!(code);
                put_json(&aside.join(STAGE), &record)
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
        let right_code = || !self.only_this_code || code_of_stage(folder) == self.code;
        believed && right_code() && self.is_intact(key, folder)
    }

    /// The folder of a finished stage, by its name.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub(crate) fn finished_stage(&self, name: &str) -> Result<PathBuf> {
        let folder = self.stages.join(name);
        if self.is_intact(&Key::of_text(name), &folder) {
            return Ok(folder);
        }
        Err(Error::file(
            &folder,
            "is missing or damaged; run the experiment again",
        ))
    }

    /// Whether a stage's folder holds what was written. If it does not, for example after a full disk, a bad disk or a
    /// manual deletion, it counts as absent.
    ///
    /// The sizes of its files are looked at each time. Their content is read once in a process: it reads all of it anyway.
    fn is_intact(&self, key: &Key, folder: &Path) -> bool {
        let known = || self.intact.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(files) = Files::recorded(folder).filter(|files| files.are_whole(folder)) else {
            return false;
        };
        let intact = known().contains(key) || is_of(folder, key) && files.are_intact(folder);
        if intact {
            known().insert(key.clone());
        }
        intact
    }
}

/// Whether the record in a stage's folder is that of the key. Otherwise, the folder was copied to another's name.
fn is_of(folder: &Path, key: &Key) -> bool {
    #[derive(Deserialize, Serialize)]
    struct Record {
        stage: String,
        inputs: serde_json::Value,
    }
    let text = fs::read(folder.join(STAGE)).ok();
    let record = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    record.is_some_and(|record| Key::of(&record).is_ok_and(|own| own == *key))
}

/// The code that a stage comes from, outside of the experiment's file. Empty if its record does not say it.
pub(crate) fn code_of_stage(folder: &Path) -> Outside {
    #[derive(Deserialize)]
    struct Record {
        code: Outside,
    }
    let text = fs::read(folder.join(STAGE)).ok();
    let record = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    record.map(|record| record.code).unwrap_or_default()
}

/// The files of a stage by name, as its record lists them.
#[derive(Default, Deserialize)]
struct Files {
    bytes: BTreeMap<String, u64>,
    /// Their hashes. Stages of earlier versions have none.
    #[serde(default)]
    blake3: BTreeMap<String, String>,
}

impl Files {
    /// Those in a folder.
    fn of(folder: &Path) -> Result<Self> {
        let problem = |error| Error::file(folder, error);
        let mut files = Self::default();
        for entry in fs::read_dir(folder).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            if entry.metadata().map_err(problem)?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let FileRecord { bytes, blake3 } = FileRecord::of(&entry.path())?;
                files.bytes.insert(name.clone(), bytes);
                files.blake3.insert(name, blake3);
            }
        }
        Ok(files)
    }

    /// Those that the record in a stage's folder lists. `None` if it is missing or damaged.
    fn recorded(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join(STAGE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Whether all of them are there, in their sizes.
    fn are_whole(&self, folder: &Path) -> bool {
        let mut files = self.bytes.iter();
        files.all(|(name, bytes)| {
            fs::metadata(folder.join(name)).is_ok_and(|file| file.len() == *bytes)
        })
    }

    /// Whether all of them have the content that was written.
    fn are_intact(&self, folder: &Path) -> bool {
        let mut files = self.blake3.iter();
        files.all(|(name, hash)| {
            FileRecord::of(&folder.join(name)).is_ok_and(|found| found.blake3 == *hash)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "network";

    /// The content of a stage's file, and whether it was computed, in a process of its own.
    fn stage(out: &Path) -> (String, bool) {
        let mut computed = false;
        let folder = Store::new(out, "toy").stage("toy", &0, |folder| {
            computed = true;
            fs::write(folder.join(FILE), "weights").unwrap();
            Ok(Outside::new())
        });
        let text = fs::read(folder.unwrap().join(FILE)).unwrap();
        (String::from_utf8_lossy(&text).into_owned(), computed)
    }

    fn folder(out: &Path) -> PathBuf {
        let entries = fs::read_dir(out.join(".stages")).unwrap();
        let mut folders = entries.map(|entry| entry.unwrap().path());
        let stage = folders.find(|folder| folder.join(STAGE).exists());
        stage.unwrap()
    }

    #[test]
    fn a_stage_whose_content_has_changed_is_computed_again() {
        let out = tempfile::tempdir().unwrap();
        let whole = "weights".to_owned();
        assert_eq!(stage(out.path()), (whole.clone(), true));
        assert_eq!(stage(out.path()), (whole.clone(), false));
        let file = folder(out.path()).join(FILE);
        // Of the same size, of another one, and none.
        for damage in [Some("weighty"), Some("weight"), None] {
            match damage {
                Some(text) => fs::write(&file, text).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            assert_eq!(stage(out.path()), (whole.clone(), true), "{damage:?}");
            assert_eq!(stage(out.path()), (whole.clone(), false), "{damage:?}");
        }
    }

    #[test]
    fn a_stage_under_the_name_of_another_is_computed_again() {
        let out = tempfile::tempdir().unwrap();
        stage(out.path());
        let own = folder(out.path());
        let other = |computed: &mut bool| {
            let done = Store::new(out.path(), "toy").stage("toy", &1, |folder| {
                *computed = true;
                fs::write(folder.join(FILE), "another").unwrap();
                Ok(Outside::new())
            });
            done.unwrap()
        };
        let of_other = other(&mut false);
        fs::remove_dir_all(&of_other).unwrap();
        fs::rename(own, &of_other).unwrap();
        let mut computed = false;
        assert_eq!(other(&mut computed), of_other);
        assert!(computed);
        assert_eq!(fs::read_to_string(of_other.join(FILE)).unwrap(), "another");
    }

    /// It is found by the sizes of its files alone.
    #[test]
    fn a_stage_of_an_earlier_version_has_no_hashes() {
        let out = tempfile::tempdir().unwrap();
        stage(out.path());
        let path = folder(out.path()).join(STAGE);
        let mut record: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("blake3").unwrap();
        put_json(&path, &record).unwrap();
        assert_eq!(stage(out.path()), ("weights".to_owned(), false));
    }

    #[test]
    fn the_references_of_a_finished_run_are_read_only_if_they_are_intact() {
        let out = tempfile::tempdir().unwrap();
        stage(out.path());
        let folder = folder(out.path());
        let name = folder.file_name().unwrap().to_str().unwrap();
        let read = || Store::new(out.path(), "toy").finished_stage(name);
        assert_eq!(read().unwrap(), folder);
        fs::write(folder.join(FILE), "weighty").unwrap();
        let problem = read().unwrap_err().to_string();
        assert!(
            problem.ends_with("damaged; run the experiment again"),
            "{problem}"
        );
    }
}
