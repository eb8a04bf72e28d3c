//! A folder of photographs, for the backgrounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::key::{Key, hash_of_file};

/// The photographs of a folder. Two folders with the same files are equal.
#[derive(Clone, Debug)]
pub struct Photographs {
    folder: PathBuf,
    files: Arc<[PathBuf]>,
    key: Key,
}

impl Photographs {
    /// Finds the PNG files of a folder, and hashes their names and content.
    ///
    /// # Errors
    /// If the folder has no such file, or one cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::file(
                folder,
                "is not a folder; give one that contains photographs as PNG files",
            ));
        }
        let files = files(folder)?;
        // Where the folder is does not matter, because a copy gives the same images.
        let hashed = files.par_iter().map(|file| {
            let (_, hash) = hash_of_file(file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            Ok((name.into_owned(), hash.to_hex().to_string()))
        });
        let key = Key::of(&hashed.collect::<Result<Vec<_>>>()?)?;
        Ok(Self {
            folder: folder.to_owned(),
            files: files.into(),
            key,
        })
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A hash of the names and content of the files.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The files, ordered by name.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

impl PartialEq for Photographs {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// The PNG files of a folder, ordered by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|problem| Error::file(folder, problem))?;
    let is_png = |path: &PathBuf| {
        path.extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("png"))
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_png)
        .collect();
    files.sort();
    if files.is_empty() {
        Err(Error::file(
            folder,
            "has no photographs: no file that ends in .png (`mogrify -format png *.jpg` makes them of others)",
        ))
    } else {
        Ok(files)
    }
}
