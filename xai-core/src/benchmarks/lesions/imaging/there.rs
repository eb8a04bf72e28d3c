//! The files in a folder, and whether their content is present. datalad, git-annex and git-lfs list
//! files whose content is fetched on demand.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Whether a folder lists the file, whether its content is present or not.
pub(crate) fn is_listed(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Opens a file whose content is present.
///
/// # Errors
/// If the file does not exist or cannot be read; if it is a link or a small text in place of
/// content that has not been fetched.
pub(crate) fn open(path: &Path) -> Result<File> {
    let mut file = File::open(path).map_err(|problem| {
        let link = fs::read_link(path).ok();
        match link.filter(|_| problem.kind() == ErrorKind::NotFound) {
            Some(link) if link.components().any(|part| part.as_os_str() == "annex") => {
                not_fetched(path, "git-annex", "datalad get")
            }
            Some(link) => {
                let link = link.display();
                let problem = format!("is a link to {link}, which does not exist; repair the link");
                Error::file(path, problem)
            }
            None => Error::file(path, problem),
        }
    })?;
    let problem = |problem| Error::file(path, problem);
    let mut start = Vec::new();
    (file.by_ref().take(64).read_to_end(&mut start)).map_err(problem)?;
    if start.starts_with(b"version https://git-lfs.github.com/") {
        return Err(not_fetched(path, "git-lfs", "git lfs pull --include"));
    }
    if start.starts_with(b"/annex/objects/") {
        return Err(not_fetched(path, "git-annex", "datalad get"));
    }
    file.rewind().map_err(problem)?;
    Ok(file)
}

fn not_fetched(path: &Path, program: &str, command: &str) -> Error {
    let file = path.display();
    Error::file(
        path,
        format!("its content is kept by {program} and not here; fetch it: `{command} {file}`"),
    )
}

/// The files in a folder in order of name, without hidden files. macOS adds a file `._x` beside
/// every `x` on disks of other systems.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let problem = |error| Error::file(folder, error);
    let entries = std::fs::read_dir(folder).map_err(problem)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(problem)?;
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

/// The last part of a path. Empty if it is not UTF-8.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}
