//! Atomic files and folders: written under a temporary name, then renamed. The name belongs to one process, so that two of
//! them that write the same do not disturb each other.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::process::Owner;

/// Writes readable JSON atomically.
pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> Result<()> {
    write_file(path, |aside| put_json(aside, content))
}

/// Writes readable JSON, piece by piece, into a folder that is not complete yet.
pub(crate) fn put_json(path: &Path, content: &impl Serialize) -> Result<()> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(|error| Error::file(path, error))
}

/// Writes a file atomically: it is complete or absent.
pub(crate) fn write_file<T>(path: &Path, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let aside = beside(path);
    let written = write(&aside).and_then(|value| {
        flush(&aside)?;
        fs::rename(&aside, path).map_err(|error| Error::file(path, error))?;
        Ok(value)
    });
    if written.is_err() {
        let _ = fs::remove_file(&aside); // gives back what room it took on a full disk
    }
    written
}

/// Fills a folder atomically: it is complete or absent. Until it is complete, it lies in `staging`,
/// on the same disk.
///
/// Returns `false` if another process has put it there in the meantime. What this one has made is
/// then thrown away: both have computed the same.
pub(crate) fn write_folder(
    path: &Path,
    staging: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<bool> {
    let before = changed_at(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = Owner::unique();
    let aside = staging.join(format!("{unique}.{name}"));
    let old = staging.join(format!("{unique}.old.{name}"));
    make_folder(&aside)?;
    let filled = fill(&aside).and_then(|()| {
        let entries = fs::read_dir(&aside).map_err(|error| Error::file(&aside, error))?;
        for entry in entries {
            flush(&entry.map_err(|error| Error::file(&aside, error))?.path())?;
        }
        let replaces = before.is_some()
            && changed_at(path) == before
            && match fs::rename(path, &old) {
                Ok(()) => true,
                // Another process replaces it at this moment.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                Err(error) => return Err(Error::file(path, error)),
            };
        let renamed = fs::rename(&aside, path).or_else(|error| match path.parent() {
            Some(parent) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                fs::rename(&aside, path)
            }
            _ => Err(error),
        });
        if renamed.is_err() && replaces {
            let _ = fs::rename(&old, path); // unless another process has put one there
        }
        if replaces {
            let _ = fs::remove_dir_all(&old);
        }
        match renamed {
            Ok(()) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(Error::file(path, error)),
        }
    });
    if !matches!(filled, Ok(true)) {
        let _ = fs::remove_dir_all(&aside);
    }
    filled
}

/// When something was last put into a folder or taken out of it. `None` if it is not there.
fn changed_at(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder).and_then(|found| found.modified()).ok()
}

/// Whether a folder could not be renamed because there is one with that name.
fn is_taken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty)
}

/// The beginning of the temporary names of files.
const NEW: &str = ".new.";

/// The temporary path: hidden, on the same disk, and of this process alone, as locks may fail.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The ending stays: it tells an encoder the format.
    path.with_file_name(format!("{NEW}{}.{name}", Owner::unique()))
}

/// Removes the temporary files in a folder, or everything in a folder for staging, that processes
/// which have ended left behind. Nobody here knows of a process on another machine, so its files stay
/// for a week.
pub(crate) fn clear_leftovers(folder: &Path, staging: bool) {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let is_old = |entry: &fs::DirEntry| {
        let written = entry.metadata().and_then(|found| found.modified()).ok();
        written
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age > WEEK)
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let owner = match name.strip_prefix(NEW) {
            Some(owned) => Owner::of(owned),
            None if staging => Owner::of(&name),
            None => None,
        };
        let Some(owner) = owner else { continue };
        if !owner.runs().unwrap_or_else(|| !is_old(&entry)) {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }
}

/// Flushes a file to disk before it is renamed, so that a power cut leaves no empty file.
fn flush(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::file(path, error))
}

pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &'static str) -> impl FnOnce(&Path) -> Result<()> {
        move |folder| {
            fs::write(folder.join("file"), text).map_err(|error| Error::file(folder, error))
        }
    }

    #[test]
    fn of_two_that_write_a_folder_one_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let (path, staging) = (root.path().join("to/folder"), root.path().join(".new"));
        let kept = || fs::read_to_string(path.join("file")).unwrap();
        let mut inner = None;
        let outer = write_folder(&path, &staging, |folder| {
            inner = Some(write_folder(&path, &staging, put("first"))?);
            put("second")(folder)
        });
        assert_eq!((inner, outer.unwrap()), (Some(true), false));
        assert_eq!(kept(), "first");
        // What was there before is replaced.
        assert!(write_folder(&path, &staging, put("third")).unwrap());
        assert_eq!(kept(), "third");
        assert!(write_folder(&path, &staging, |folder| Err(Error::file(folder, "no"))).is_err());
        assert_eq!(kept(), "third");
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
    }

    /// No one fails, whatever the others do in between, and the folder is complete at the end.
    #[test]
    fn many_may_replace_a_folder_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (path, staging) = (root.path().join("folder"), root.path().join(".new"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        write_folder(&path, &staging, put("the same")).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "the same");
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
    }

    #[test]
    fn only_what_the_dead_left_behind_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let this = Owner::unique();
        let far = this.replacen(&Owner::this().host, "elsewhere", 1);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = |pid: u32| format!("-{pid}-");
        let dead = this.replace(&pid(std::process::id()), &pid(child.id()));
        child.wait().unwrap();
        for owner in [&this, &far, &dead] {
            fs::write(root.path().join(format!(".new.{owner}.table.csv")), "").unwrap();
        }
        fs::write(root.path().join("table.csv"), "").unwrap();
        clear_leftovers(root.path(), false);
        let left = fs::read_dir(root.path()).unwrap().count();
        assert_eq!(left, if cfg!(unix) { 3 } else { 4 });
        assert!(!root.path().join(format!(".new.{dead}.table.csv")).exists());
    }
}
