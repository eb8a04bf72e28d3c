//! Locks between processes, so that several of them can share the work of one folder.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sweep::watch::check_interrupt;

/// The interval at which a waiting process checks whether another one has finished.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// The right to write something. It ends when this is dropped or when the process ends in any way.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock with this name. `None` while another thread or process holds it.
    pub fn attempt(path: &Path) -> Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
        }
        let file = File::create(path).map_err(|error| Error::file(path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::file(
                path,
                format!("cannot be locked ({error}); choose a folder on another disk by --out"),
            )),
        }
    }

    /// The right to write plan, tables and figures into a sweep's folder.
    pub fn of_reports(folder: &Path) -> Result<Self> {
        Self::wait(&folder.join(".locks").join("reports"))
    }

    /// Takes the lock with this name, and waits for it if necessary.
    pub fn wait(path: &Path) -> Result<Self> {
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
            check_interrupt()?;
            std::thread::sleep(PATIENCE);
        }
    }
}
