//! The files of one subject's scan.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::benchmarks::lesions::imaging::{Brain, Sex, Slices, Volume, there};
use crate::error::{Error, Result};

/// A subject and its scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The subject's name in the folder.
    pub subject: String,
    /// The sex according to the table.
    pub sex: Sex,
    /// The image, `.nii` or `.nii.gz`.
    pub image: PathBuf,
    /// Its brain mask. Without a mask, the image must be brain-extracted.
    pub mask: Option<PathBuf>,
    /// The identity of its files. Other scans, and later versions of this one, differ in it.
    pub stamps: Vec<Stamp>,
}

/// The identity of a file, determined without reading all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stamp {
    /// Relative to the folder of scans, so that the folder can be moved.
    path: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// Hash of the last 4 KiB. In a `.gz` file, they hold the checksum of the whole.
    end: String,
}

impl Scan {
    /// The scan of `subject` in the folder `root`.
    ///
    /// # Errors
    /// If a file does not exist or cannot be opened.
    pub(crate) fn new(
        root: &Path,
        subject: String,
        sex: Sex,
        image: PathBuf,
        mask: Option<PathBuf>,
    ) -> Result<Self> {
        let files = [Some(&image), mask.as_ref()].into_iter().flatten();
        let stamps = files
            .map(|file| Stamp::of(root, file))
            .collect::<Result<_>>()?;
        Ok(Self {
            subject,
            sex,
            image,
            mask,
            stamps,
        })
    }

    /// `count` axial slices of the brain; see [`Brain::slices`]. Only one volume is in memory at a
    /// time.
    ///
    /// # Errors
    /// As [`Volume::open`] and [`Brain`]. The error names the file.
    pub fn slices(&self, count: usize) -> Result<Slices> {
        let image = Volume::open(&self.image)?;
        let mask = self.mask.as_ref().map(Volume::open).transpose()?;
        Brain::new(image, mask)
            .and_then(|brain| brain.slices(count))
            .map_err(|problem| Error::file(&self.image, problem))
    }
}

impl Stamp {
    fn of(root: &Path, path: &Path) -> Result<Self> {
        let problem = |error| Error::file(path, error);
        let mut file = there::open(path)?;
        let about = file.metadata().map_err(problem)?;
        let modified = about
            .modified()
            .map_err(problem)?
            .duration_since(UNIX_EPOCH);
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(about.len().saturating_sub(4096)))
            .map_err(problem)?;
        file.read_to_end(&mut end).map_err(problem)?;
        Ok(Self {
            path: path.strip_prefix(root).unwrap_or(path).to_owned(),
            bytes: about.len(),
            modified: modified.map_or(0, |time| time.as_nanos() as u64),
            end: blake3::hash(&end).to_hex().to_string(),
        })
    }
}
