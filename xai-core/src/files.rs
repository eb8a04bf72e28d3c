//! Atomic files and folders: written under a temporary name, then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};

/// Writes readable JSON atomically. The caller holds the lock of the folder.
pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(content).map_err(|error| Error::file(path, error))?;
    write_file(path, |aside| {
        fs::write(aside, text + "\n").map_err(|error| Error::file(aside, error))
    })
}

/// Writes a file atomically: it is complete or absent.
pub(crate) fn write_file<T>(path: &Path, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let aside = beside(path, "new");
    let written = write(&aside).and_then(|value| {
        flush(&aside)?;
        rename(&aside, path)?;
        Ok(value)
    });
    if written.is_err() {
        let _ = fs::remove_file(&aside); // gives back what room it took on a full disk
    }
    written
}

/// Fills a folder atomically: it is complete or absent.
pub(crate) fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (aside, old) = (beside(path, "new"), beside(path, "old"));
    clear(&aside)?; // what a killed process left behind
    clear(&old)?;
    make_folder(&aside)?;
    let filled = fill(&aside).and_then(|()| {
        let entries = fs::read_dir(&aside).map_err(|error| Error::file(&aside, error))?;
        for entry in entries {
            flush(&entry.map_err(|error| Error::file(&aside, error))?.path())?;
        }
        if path.exists() {
            rename(path, &old)?;
        }
        rename(&aside, path)
    });
    if filled.is_err() {
        let _ = fs::remove_dir_all(&aside);
    }
    filled?;
    clear(&old)
}

/// The temporary path: hidden, on the same disk. All processes use the same name. Only one process
/// at a time holds the lock, so it replaces what a killed process left behind.
fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{what}.{name}")) // the ending stays: it tells an encoder the format
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
