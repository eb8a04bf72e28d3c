//! Stages: intermediate results that cells and experiments share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::claims::Claim;
use super::manifest::Outside;
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
                record["bytes"] = serde_json::json!(sizes(aside)?);
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
        believed && is_whole(folder) && right_code()
    }
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

/// The size of each file in a folder.
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

/// Whether a stage's folder is complete. If it is not, for example after a full disk or a manual
/// deletion, it counts as absent.
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
