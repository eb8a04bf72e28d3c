//! What is kept on disk, so that nothing is computed twice and a crash cannot hurt.
//!
//! Everything is written aside and then renamed: what has its final name is complete. A cell is
//! what its manifest says; the manifest lists each file with its size and hash, and a file that does
//! not match (a full disk, a power cut) counts as not there. Whoever writes a cell or a stage holds its lock.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::lock::Lock;
use super::manifest::{
    FileRecord, MANIFEST, MODEL, Manifest, PREDICTIONS, SCORES, Status, of_the_run, read,
};
use crate::error::{Error, Result};
use crate::files::{make_folder, write_file, write_folder, write_json};
use crate::key::Key;

const CELLS: &str = "cells";

/// The folder of an experiment's runs, and that of the stages beside it.
#[derive(Clone, Debug)]
pub struct Store {
    /// Of scores, plan and reports.
    folder: PathBuf,
    /// Of models, predictions and logs: the same, unless the run is restricted.
    models: PathBuf,
    pub(super) stages: PathBuf,
    /// In a run that computes everything again: the stages that it has computed.
    pub(super) renewed: Option<Arc<Mutex<BTreeSet<Key>>>>,
}

impl Store {
    /// The store in `<out>/<experiment>`; folders are made when something is kept.
    pub fn new(out: &Path, experiment: &str) -> Self {
        Self::at(out.join(experiment), out.join(".stages"))
    }

    /// The store in a folder, with its stages in another.
    pub(crate) fn at(folder: PathBuf, stages: PathBuf) -> Self {
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
    pub(crate) fn stages(&self) -> &Path {
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
    pub(crate) fn keep(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let _lock = Lock::of_reports(&self.folder)?;
        write_json(&self.folder.join(name), content)
    }

    /// The right to write a cell; `None` while somebody else has it.
    pub(crate) fn try_lock(&self, key: &Key) -> Result<Option<Lock>> {
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
    pub(crate) fn all(&self) -> Vec<Manifest> {
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
        write_folder(&self.cell(&manifest.key), |aside| {
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
        let record = write_file(&folder.join(name), |aside| {
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
}
