//! The store on disk. Nothing is computed twice, and a crash loses no finished work.
//!
//! Files are written under a temporary name and then renamed, so a file with its final name is
//! complete. The manifest defines a cell: it lists each file with its size and hash. A file that
//! does not match (a full disk, a power cut) counts as absent. A process that writes a cell or a
//! stage has claimed it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::claims::{Attempt, CLAIMS, Claim, Holder};
use super::manifest::{
    FileRecord, MANIFEST, MAPS, MODEL, Manifest, Outside, PREDICTIONS, SCORES, Scored, Status,
    of_the_run, read, read_of,
};
use crate::error::{Error, Result};
use crate::files::{clear_leftovers, make_folder, put_json, write_file, write_folder, write_json};
use crate::key::Key;

const CELLS: &str = "cells";
/// The folder for folders that are not complete yet.
pub(super) const STAGING: &str = ".new";

/// The folder of an experiment's runs, and the folder of the stages beside it.
#[derive(Clone, Debug)]
pub struct Store {
    /// For scores, plan and reports.
    folder: PathBuf,
    /// For models, predictions and logs. The same folder, unless the run is restricted.
    models: PathBuf,
    pub(super) stages: PathBuf,
    /// The stages whose files this process has read and found intact.
    pub(super) intact: Arc<Mutex<BTreeSet<Key>>>,
    /// Set in a run that recomputes everything: the stages that it has computed.
    pub(super) renewed: Option<Arc<Mutex<BTreeSet<Key>>>>,
    /// The code that runs, outside of the experiment's file.
    pub(super) code: Outside,
    /// Whether stages that other code has computed are ignored.
    pub(super) only_this_code: bool,
}

impl Store {
    /// The store in `<out>/<experiment>`. Folders are created when something is written.
    pub fn new(out: &Path, experiment: &str) -> Self {
        Self::at(out.join(experiment), out.join(".stages"))
    }

    /// The store in a folder, with its stages in another folder.
    pub(crate) fn at(folder: PathBuf, stages: PathBuf) -> Self {
        Self {
            models: folder.clone(),
            folder,
            stages,
            intact: Arc::default(),
            renewed: None,
            code: Outside::new(),
            only_this_code: false,
        }
    }

    /// The store of a run by this code, which records it.
    pub(crate) fn of_code(self, code: Outside, only_this_code: bool) -> Self {
        Self {
            code,
            only_this_code,
            ..self
        }
    }

    /// The code that runs, outside of the experiment's file.
    pub(crate) fn code(&self) -> &Outside {
        &self.code
    }

    /// The store of a restricted run. Its scores and reports have their own folder, because they
    /// depend on other images than those of the whole experiment. Models are shared.
    pub fn restricted(self, label: &str) -> Self {
        Self {
            folder: self.models.join("partial").join(label),
            ..self
        }
    }

    /// The store of a run that ignores stages computed before it.
    pub fn without_old_stages(self) -> Self {
        Self {
            renewed: Some(Arc::default()),
            ..self
        }
    }

    /// The folder of the sweep's own files: `<out>/<experiment>`, or the folder of a restricted run
    /// in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a cell's model and predictions.
    pub fn cell(&self, key: &Key) -> PathBuf {
        self.models.join(CELLS).join(key.as_str())
    }

    /// The path of a cell's file.
    pub fn file(&self, key: &Key, name: &str) -> PathBuf {
        self.place(key, name).join(name)
    }

    /// The folder of a cell's file. Scores are stored with the run to which they belong.
    fn place(&self, key: &Key, name: &str) -> PathBuf {
        match name {
            name if of_the_run(name) => self.folder.join(CELLS).join(key.as_str()),
            _ => self.cell(key),
        }
    }

    /// The path of the log of a cell, also of a failed one.
    pub fn log(&self, key: &Key) -> PathBuf {
        self.models.join("logs").join(format!("{key}.log"))
    }

    /// The right to write the files of the sweep. Other processes wait as long as the caller keeps it.
    pub(crate) fn claim_reports(&self) -> Result<Claim> {
        Claim::of_reports(&self.folder)
    }

    /// The right to submit the sweep to a scheduler.
    pub(crate) fn claim_submission(&self) -> Result<Claim> {
        Claim::wait(&self.folder.join(CLAIMS).join("submission"))
    }

    /// Writes a file of the sweep. The caller has claimed them.
    pub(crate) fn keep(&self, name: &str, content: &impl Serialize) -> Result<()> {
        write_json(&self.folder.join(name), content)
    }

    /// Attempts to get the right to write a cell.
    pub(crate) fn claim(&self, key: &Key) -> Result<Attempt> {
        Claim::attempt(&self.models.join(CLAIMS).join(key.as_str()))
    }

    /// The cells that are claimed by a process that may be alive.
    pub(crate) fn holders(&self) -> HashMap<Key, Holder> {
        let entries = fs::read_dir(self.models.join(CLAIMS));
        let entries = entries.into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let holder = Holder::read(&entry.path())?;
            let key = Key::of_text(name.split('.').next()?);
            (holder.runs() != Some(false)).then_some((key, holder))
        });
        found.collect()
    }

    /// Removes what processes that were killed left behind, apart from files of single cells.
    pub(crate) fn clear_leftovers(&self) {
        for root in [&self.models, &self.stages] {
            clear_leftovers(&root.join(STAGING), true);
        }
        clear_leftovers(&self.folder, false);
    }

    /// The manifest of a cell. `None` if the cell must be fitted.
    ///
    /// Damaged files are reported through `warn` and left out, so that they are computed again.
    pub fn find(&self, key: &Key, warn: &dyn Fn(String)) -> Option<Manifest> {
        let mut manifest = read_of(key, &self.cell(key), warn)?;
        if self.folder != self.models {
            manifest.forget_test();
            let folder = self.place(key, SCORES);
            // Scores of an earlier fit of this cell, before --fresh, do not belong to this one.
            let own = read_of(key, &folder, warn).filter(|own| own.fit == manifest.fit);
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
            // A model may be large. Its size is checked here, and its content when it is loaded.
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

    /// As [`find`](Self::find), for a cell whose scores were seen.
    ///
    /// Where claims do not exclude, another process may be replacing the same scores at this moment. They are then listed
    /// again when it is done, so they are looked for during two seconds.
    pub(crate) fn find_tested(&self, key: &Key) -> Option<Manifest> {
        let mut found = self.find(key, &|_| ())?;
        for _ in 0..40 {
            if found.files.contains_key(SCORES) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
            found = self.find(key, &|_| ())?;
        }
        Some(found)
    }

    /// The manifests of all cells that were fitted here and that this version can read.
    pub(crate) fn all(&self) -> impl Iterator<Item = Manifest> {
        let folders = fs::read_dir(self.models.join(CELLS));
        let folders = folders.into_iter().flatten().flatten();
        folders.filter_map(|folder| read(&folder.path(), &|_| ()))
    }

    /// The path of a cell's model, after its content has been checked.
    ///
    /// # Errors
    /// If the content has changed. A damaged file is then removed, so that the next run computes it again. A file that
    /// another process has put there with a manifest of its own is not damaged, and stays.
    pub fn model(&self, manifest: &Manifest) -> Result<PathBuf> {
        let folder = self.cell(&manifest.key);
        let path = folder.join(MODEL);
        let found = Some(FileRecord::of(&path)?);
        if manifest.files.get(MODEL) == found.as_ref() {
            return Ok(path);
        }
        let kept = read(&folder, &|_| ());
        let what = if kept.and_then(|mut kept| kept.files.remove(MODEL)) == found {
            "was replaced by another process; run the same command again"
        } else if fs::remove_file(&path).is_ok() {
            "was damaged and has been removed; the next run computes it again"
        } else {
            "is damaged; delete this file and run again"
        };
        Err(Error::file(&path, what))
    }

    /// The path of a file of a finished cell, whose manifest was [found](Self::find).
    ///
    /// # Errors
    /// If the manifest does not list it, such as because its content has changed.
    pub(crate) fn intact(&self, manifest: &Manifest, name: &str) -> Result<PathBuf> {
        let path = self.file(&manifest.key, name);
        if manifest.files.contains_key(name) {
            return Ok(path);
        }
        Err(Error::file(
            &path,
            "is missing, damaged, or of an earlier fit of this cell; run the experiment again",
        ))
    }

    /// The files that the results of a cell are read from, all but its model, as its manifest lists them.
    pub(crate) fn sources(&self, manifest: &Manifest) -> Sources {
        let files = manifest.files.iter().filter(|(name, _)| *name != MODEL);
        let files = files.map(|(name, record)| (self.file(&manifest.key, name), record.clone()));
        Sources(files.collect())
    }

    /// Saves a new cell, whose model `save` writes to the path it is given. The caller has claimed it.
    ///
    /// Returns its manifest, or that of another process that has saved the same cell in the meantime.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(
        &self,
        mut manifest: Manifest,
        save: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<Manifest> {
        let folder = self.cell(&manifest.key);
        let created = write_folder(&folder, &self.models.join(STAGING), |aside| {
            save(&aside.join(MODEL))?;
            manifest
                .files
                .insert(MODEL.to_owned(), FileRecord::of(&aside.join(MODEL))?);
            put_json(&aside.join(MANIFEST), &manifest)
        })?;
        if created {
            return Ok(manifest);
        }
        read(&folder, &|_| ()).ok_or_else(|| {
            Error::file(
                &folder,
                "was written by another process and cannot be read; delete it and run again",
            )
        })
    }

    /// Adds a file to a cell and records it in the manifest. The caller has claimed the cell.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add(
        &self,
        manifest: &mut Manifest,
        name: &str,
        write: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<()> {
        let folder = self.place(&manifest.key, name);
        make_folder(&folder)?;
        clear_leftovers(&folder, false);
        let record = write_file(&folder.join(name), |aside| {
            write(aside)?;
            FileRecord::of(aside)
        })?;
        manifest.files.insert(name.to_owned(), record);
        let mut kept = manifest.clone();
        if !of_the_run(name) && self.folder != self.models {
            // A restricted run records its own scores. Those of the whole experiment are not
            // changed.
            let own = read(&folder, &|_| ());
            kept.forget_test();
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

    /// Adds what a test has made: some heat maps, and the scores, which mark the cell as tested.
    ///
    /// Scores of an earlier test are no longer listed once the heat maps are. Otherwise a run that is killed between
    /// the two would leave them as the scores of this test.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn add_test(
        &self,
        manifest: &mut Manifest,
        scored: Scored,
        maps: &dyn Fn(&Path) -> Result<()>,
        scores: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<()> {
        manifest.forget_test();
        manifest.scored = Some(scored);
        self.add(manifest, MAPS, maps)?;
        self.add(manifest, SCORES, scores)
    }
}

/// Files that results were read from, as they were then.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<(PathBuf, FileRecord)>);

impl Sources {
    /// Adds those of another cell.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Whether no other process has replaced any of them.
    pub fn are_unchanged(&self) -> bool {
        let unchanged = |(path, before): &(PathBuf, FileRecord)| {
            FileRecord::of(path).is_ok_and(|now| now == *before)
        };
        self.0.iter().all(unchanged)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::training::Validation;

    fn fitted() -> Manifest {
        Manifest {
            key: Key::of(&"a cell").unwrap(),
            status: Status::Fitted,
            cell: "seed=0".to_owned(),
            inputs: Json::Null,
            version: String::new(),
            device: String::new(),
            adapter: None,
            fit: "a fit".to_owned(),
            validation: Validation::default(),
            history: Vec::new(),
            seconds: Default::default(),
            test_accuracy: None,
            test_errors: None,
            test_set: None,
            scored: None,
            fitted_by: Outside::new(),
            predicted_by: Outside::new(),
            files: Default::default(),
        }
    }

    fn scored(explained: usize) -> Scored {
        Scored {
            asked: Some(Vec::new()),
            explained,
            code: [1, 1],
            file: None,
            by: Outside::new(),
        }
    }

    fn put(text: &'static str) -> impl Fn(&Path) -> Result<()> {
        move |path| fs::write(path, text).map_err(|error| Error::file(path, error))
    }

    /// The same command must be able to continue.
    #[test]
    fn a_damaged_model_of_unchanged_size_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "toy");
        let manifest = store.create(fitted(), &put("model")).unwrap();
        let path = store.model(&manifest).unwrap();
        fs::write(&path, "MODEL").unwrap();
        assert!(store.find(&manifest.key, &|_| ()).is_some());
        let problem = store.model(&manifest).unwrap_err().to_string();
        assert!(
            problem.contains("the next run computes it again"),
            "{problem}"
        );
        assert!(store.find(&manifest.key, &|_| ()).is_none());
    }

    #[test]
    fn a_folder_under_the_name_of_another_cell_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "toy");
        let manifest = store.create(fitted(), &put("model")).unwrap();
        let other = Key::of(&"another cell").unwrap();
        fs::rename(store.cell(&manifest.key), store.cell(&other)).unwrap();
        let said = std::cell::RefCell::new(String::new());
        assert!(
            store
                .find(&other, &|line| *said.borrow_mut() = line)
                .is_none()
        );
        let said = said.into_inner();
        assert!(said.contains("is of another cell"), "{said}");
    }

    /// Its fit must not be lost to a process that knows only the one before.
    #[test]
    fn a_model_of_another_process_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "toy");
        let before = store.create(fitted(), &put("model")).unwrap();
        fs::remove_dir_all(store.cell(&before.key)).unwrap();
        let after = store.create(fitted(), &put("other model")).unwrap();
        let problem = store.model(&before).unwrap_err().to_string();
        assert!(problem.contains("by another process"), "{problem}");
        assert!(store.model(&after).is_ok());
    }

    /// As on a disk on which nothing excludes.
    #[test]
    fn scores_that_another_process_is_replacing_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "toy");
        let mut manifest = store.create(fitted(), &put("model")).unwrap();
        let first = store.add_test(&mut manifest, scored(1), &put("maps"), &put("scores"));
        first.unwrap();
        let key = manifest.key.clone();
        let waiting = Mutex::new(None);
        let slow = |path: &Path| {
            let found = store.find(&key, &|_| ()).unwrap();
            assert!(!found.files.contains_key(SCORES));
            let (store, key) = (store.clone(), key.clone());
            *waiting.lock().unwrap() = Some(thread::spawn(move || store.find_tested(&key)));
            thread::sleep(Duration::from_millis(200));
            put("scores")(path)
        };
        let again = store.add_test(&mut manifest, scored(1), &put("maps"), &slow);
        again.unwrap();
        let waiting = waiting.into_inner().unwrap().unwrap();
        let found = waiting.join().unwrap().unwrap();
        assert!(found.files.contains_key(SCORES));
    }

    /// In the run that is cut, and in the next one.
    #[test]
    fn a_test_cut_before_its_scores_does_not_keep_those_of_the_test_before() {
        let dir = tempfile::tempdir().unwrap();
        let whole = Store::new(dir.path(), "toy");
        for store in [whole.clone(), whole.restricted("few")] {
            let mut manifest = store.create(fitted(), &put("model")).unwrap();
            let first = store.add_test(&mut manifest, scored(1), &put("maps"), &put("scores"));
            first.unwrap();
            let key = manifest.key.clone();
            let find = || store.find(&key, &|warning| panic!("{warning}")).unwrap();
            assert!(find().files.contains_key(SCORES));

            let full = |path: &Path| Err(Error::file(path, "the disk is full"));
            let cut = store.add_test(&mut manifest, scored(2), &put("other maps"), &full);
            assert!(cut.is_err());
            for known in [manifest, find()] {
                assert_eq!(known.scored, Some(scored(2)));
                assert!(known.files.contains_key(MAPS));
                assert!(!known.files.contains_key(SCORES));
                assert_ne!(known.status, Status::Tested);
            }
        }
    }
}
