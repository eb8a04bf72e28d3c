//! The log file of a cell, for the user to read when the cell has failed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};

/// The log of a cell: lines with the seconds since it was opened.
pub(crate) struct Log {
    path: PathBuf,
    start: Instant,
    file: Mutex<File>,
}

impl Log {
    /// Opens the log. Appends to an existing one unless `new` is set.
    pub fn open(path: &Path, new: bool) -> Result<Self> {
        let mut how = File::options();
        if new {
            how.write(true).truncate(true)
        } else {
            how.append(true)
        };
        how.create(true);
        let file = how.open(path).or_else(|error| match path.parent() {
            Some(folder) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                how.open(path)
            }
            _ => Err(error),
        });
        let file = file.map_err(|error| Error::file(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            start: Instant::now(),
            file: Mutex::new(file),
        })
    }

    /// Adds a line. If the log cannot be written, the cell is not affected.
    pub fn line(&self, text: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(format!("{seconds:9.1} s  {text}\n").as_bytes());
    }

    /// The path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why the last attempt at a cell failed, from its log. `None` if it did not fail.
pub(crate) fn failure(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    // The last entry, which may have several lines.
    let (_, last) = text.rsplit_once(" s  failed: ")?;
    let ended = last.lines().skip(1).any(|line| line.contains(" s  "));
    (!ended).then(|| last.lines().next().unwrap_or_default().to_owned())
}
