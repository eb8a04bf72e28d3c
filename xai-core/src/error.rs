//! The one error type. Each message says what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// An error, with a message for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written, or its content is not as expected.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A value that the user gave (an option, an argument, an array's shape) cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The stages that this cell shares with others are ready, and no more was asked for. Ends a fit in
    /// the phase that computes stages.
    #[error("the shared stages are ready")]
    StagesReady,
    /// The run was stopped by Ctrl-C, TERM or USR1. Finished work is kept.
    #[error("stopped; finished cells are kept, run the same command again to continue")]
    Interrupted,
}

impl Error {
    /// An error about a file, for `map_err`: `.map_err(|e| Error::file(path, e))`.
    pub fn file(path: impl AsRef<Path>, problem: impl ToString) -> Self {
        Self::File {
            path: path.as_ref().to_path_buf(),
            problem: problem.to_string(),
        }
    }

    /// Whether the disk or a quota is full, so that no other file could be written either.
    ///
    /// Detected by the operating system's error number, which libraries include in their messages.
    pub fn is_disk_full(&self) -> bool {
        #[cfg(unix)]
        let full = [libc::ENOSPC, libc::EDQUOT, libc::EFBIG];
        #[cfg(not(unix))]
        let full = [112, 39]; // ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL
        self.is_of_the_system(&full)
    }

    /// Whether writing a file or folder was denied.
    pub fn is_read_only(&self) -> bool {
        #[cfg(unix)]
        let denied = [libc::EROFS, libc::EACCES, libc::EPERM];
        #[cfg(not(unix))]
        let denied = [5, 19]; // ERROR_ACCESS_DENIED, ERROR_WRITE_PROTECT
        self.is_of_the_system(&denied)
    }

    /// Whether the operating system has reported it, such as a disk or a network that fails. It says nothing about
    /// the file's content, and may pass.
    pub fn is_reported_by_the_system(&self) -> bool {
        matches!(self, Self::File { problem, .. } if problem.contains("(os error "))
    }

    /// Whether the operating system's error has one of these numbers.
    fn is_of_the_system(&self, numbers: &[i32]) -> bool {
        let Self::File { problem, .. } = self else {
            return false;
        };
        (numbers.iter()).any(|number| problem.contains(&format!("(os error {number})")))
    }

    /// An error about a value that was given.
    pub fn invalid(problem: impl ToString) -> Self {
        Self::Invalid(problem.to_string())
    }
}

/// [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
