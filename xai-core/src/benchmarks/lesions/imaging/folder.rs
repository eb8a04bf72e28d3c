//! A folder of real scans: its subjects, their sex and their files.
//!
//! | layout | scans | table |
//! |---|---|---|
//! | BIDS | `sub-*/[ses-*/]anat/*_T1w.nii[.gz]` | `participants.tsv` with `participant_id` and `sex` |
//! | HCP | `<subject>/T1w/T1w_acpc_dc_restore_brain.nii.gz` | a CSV file with `Subject` and `Gender` |
//! | plain | as the table says | a CSV or TSV file with `file` and `sex`, optionally `subject` and `mask` |

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::benchmarks::lesions::imaging::scan::Scan;
use crate::benchmarks::lesions::imaging::table::Table;
use crate::benchmarks::lesions::imaging::there::{self, entries, name};
use crate::benchmarks::lesions::imaging::{Sex, Slices};
use crate::error::{Error, Result};

/// HCP's image in the plane of the commissures, with bias removed and the brain extracted.
const HCP_IMAGE: &str = "T1w/T1w_acpc_dc_restore_brain.nii.gz";

/// A folder of scans, one per subject.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its layout.
    pub layout: FolderKind,
    /// The table with the sex of the subjects.
    pub table: PathBuf,
    /// The subjects by name, without those that have a problem.
    pub scans: Vec<Scan>,
    /// The problems of the other subjects, one message each. Images are not read yet.
    pub problems: Vec<String>,
    /// The number of subjects in the table without a scan. They are ignored.
    pub without_scan: usize,
}

/// The layout of a folder of scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// The Brain Imaging Data Structure.
    Bids,
    /// The Human Connectome Project's.
    Hcp,
    /// A table of files.
    Plain,
}

/// A subject's files.
struct Files {
    subject: String,
    image: PathBuf,
    mask: Option<PathBuf>,
}

impl Folder {
    /// Recognises the layout of a folder, reads its table and looks for its images.
    ///
    /// If a BIDS subject has several T1w images (sessions, runs), the first by name is taken. Its
    /// brain mask, `*_desc-brain_mask.nii[.gz]`, is beside it or in the same place under
    /// `derivatives/*/`.
    ///
    /// # Errors
    /// If the folder has no such layout; if the table is missing, ambiguous or lacks a column.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let found = hcp(path)?;
        if !found.is_empty() {
            let table = Table::find(path, &["Subject", "Gender"])?;
            let sexes = table.sexes(
                |row| table.cell(row, "Subject").map(str::to_owned),
                "Gender",
            );
            return Ok(Self::new(path, FolderKind::Hcp, &table, found, sexes));
        }
        let found = bids(path)?;
        if !found.is_empty() {
            let file = path.join("participants.tsv");
            let columns = ["participant_id", "sex"];
            if !there::is_listed(&file) {
                return Err(Error::file(
                    file,
                    format!(
                        "missing; BIDS needs it, with the columns {}",
                        columns.join(" and ")
                    ),
                ));
            }
            let table = Table::open(&file, &columns)?;
            let subject = |row: &_| {
                let id = table.cell(row, "participant_id")?;
                Some(format!("sub-{}", id.trim_start_matches("sub-")))
            };
            let sexes = table.sexes(subject, "sex");
            return Ok(Self::new(path, FolderKind::Bids, &table, found, sexes));
        }
        let table = Table::find(path, &["file", "sex"]).map_err(|problem| Error::invalid(format!(
            "{problem}\nNor are there scans in the places of BIDS (sub-*/anat/*_T1w.nii.gz) or HCP (*/{HCP_IMAGE})."
        )))?;
        table.once(&["subject", "mask"])?;
        let subject = |row: &_| {
            table
                .cell(row, "subject")
                .or(table.cell(row, "file"))
                .map(str::to_owned)
        };
        let sexes = table.sexes(subject, "sex");
        // A subject listed twice has an error in `sexes`. Either of its files will do here.
        let files = table.rows.iter().filter_map(|row| {
            let image = path.join(table.cell(row, "file").unwrap_or_default());
            let mask = table.cell(row, "mask").map(|mask| path.join(mask));
            Some((subject(row)?, (image, mask)))
        });
        let files: BTreeMap<_, _> = files.collect();
        let found = files.into_iter().map(|(subject, (image, mask))| Files {
            subject,
            image,
            mask,
        });
        Ok(Self::new(
            path,
            FolderKind::Plain,
            &table,
            found.collect(),
            sexes,
        ))
    }

    fn new(
        path: &Path,
        layout: FolderKind,
        table: &Table,
        found: Vec<Files>,
        mut sexes: BTreeMap<String, Result<Sex>>,
    ) -> Self {
        let mut folder = Self {
            layout,
            table: table.path.clone(),
            scans: Vec::new(),
            problems: Vec::new(),
            without_scan: 0,
        };
        // The subject of each file by its place on the disk. Links to one file count as that file.
        let mut owners: BTreeMap<PathBuf, String> = BTreeMap::new();
        for Files {
            subject,
            image,
            mask,
        } in found
        {
            let place = image.canonicalize().unwrap_or_else(|_| image.clone());
            let owner = owners.entry(place).or_insert_with(|| subject.clone());
            if *owner != subject {
                sexes.remove(&subject);
                let problem = Error::file(
                    &image,
                    format!(
                        "`{subject}` has the file of `{owner}`, so the same images could be in training and in test; give each \
                         subject its own file"
                    ),
                );
                folder.problems.push(problem.to_string());
                continue;
            }
            let sex = sexes.remove(&subject).unwrap_or_else(|| {
                Err(Error::file(
                    &image,
                    format!("{} has no row for {subject}; add one", table.path.display()),
                ))
            });
            match sex.and_then(|sex| Scan::new(path, subject, sex, image, mask)) {
                Ok(scan) => folder.scans.push(scan),
                Err(problem) => folder.problems.push(problem.to_string()),
            }
        }
        folder.without_scan = sexes.len();
        folder
    }

    /// `count` slices to look at, each of another subject as long as there are enough, and each
    /// higher in the head than the previous one. With `skip_bad`, subjects that cannot be used are left
    /// out. Their problems are returned as well, one message each.
    ///
    /// # Errors
    /// If no subject can be used, or without `skip_bad` if one that is needed cannot be used. If the operating system
    /// reports an error, which says nothing about the scan.
    pub fn slices(&self, count: usize, skip_bad: bool) -> Result<(Vec<Array2<f32>>, Vec<String>)> {
        let mut problems = self.problems.clone();
        let mut waiting = self.scans.iter();
        let mut subjects = Vec::new();
        // Subjects that are left out are replaced while there are others.
        while subjects.len() < count && waiting.len() > 0 {
            let next: Vec<&Scan> = waiting.by_ref().take(count - subjects.len()).collect();
            let read: Vec<Result<Slices>> = next
                .into_par_iter()
                .map(|scan| scan.slices(count))
                .collect();
            for slices in read {
                match slices {
                    Ok(slices) => subjects.push(slices),
                    Err(problem) if skip_bad && !problem.is_reported_by_the_system() => {
                        problems.push(problem.to_string());
                    }
                    Err(problem) => return Err(problem),
                }
            }
        }
        if subjects.is_empty() {
            let problems = problems.join("; ");
            let problem = format!("no subject can be used: {problems}");
            return Err(Error::file(&self.table, problem));
        }
        let slice = |k: usize| {
            let images = &subjects[k % subjects.len()].images;
            images.index_axis(Axis(0), k).to_owned()
        };
        Ok(((0..count).map(slice).collect(), problems))
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = match self.layout {
            FolderKind::Bids => "a BIDS folder",
            FolderKind::Hcp => "in HCP's layout",
            FolderKind::Plain => "a table of files",
        };
        let women = self
            .scans
            .iter()
            .filter(|scan| scan.sex == Sex::Female)
            .count();
        write!(
            f,
            "{layout}: {} scans ({women} of women, {} of men, by {})",
            self.scans.len(),
            self.scans.len() - women,
            self.table.display()
        )?;
        if self.without_scan > 0 {
            write!(
                f,
                "; {} subjects of the table have no scan here",
                self.without_scan
            )?;
        }
        if !self.problems.is_empty() {
            write!(f, "; {} subjects cannot be used", self.problems.len())?;
        }
        Ok(())
    }
}

/// The images at the places of HCP's layout.
fn hcp(path: &Path) -> Result<Vec<Files>> {
    let subjects = entries(path)?
        .into_iter()
        .filter(|subject| there::is_listed(&subject.join(HCP_IMAGE)));
    Ok(subjects
        .map(|folder| Files {
            subject: name(&folder).to_owned(),
            image: folder.join(HCP_IMAGE),
            mask: None,
        })
        .collect())
}

/// The first T1w image of each subject of a BIDS folder.
fn bids(path: &Path) -> Result<Vec<Files>> {
    let mut found = Vec::new();
    for subject in with_prefix(path, "sub-")? {
        let mut places = vec![subject.clone()];
        places.extend(with_prefix(&subject, "ses-")?);
        for place in places {
            let anat = place.join("anat");
            let images = if anat.is_dir() {
                entries(&anat)?
            } else {
                Vec::new()
            };
            let is_t1w = |image: &PathBuf| {
                ["_T1w.nii", "_T1w.nii.gz"]
                    .iter()
                    .any(|end| name(image).ends_with(end))
            };
            if let Some(image) = images.into_iter().find(is_t1w) {
                found.push(Files {
                    subject: name(&subject).to_owned(),
                    mask: bids_mask(path, &image)?,
                    image,
                });
                break;
            }
        }
    }
    Ok(found)
}

/// The brain mask of a BIDS image: beside it, or in a derivative.
fn bids_mask(root: &Path, image: &Path) -> Result<Option<PathBuf>> {
    let Some(place) = image.parent() else {
        return Ok(None);
    };
    let mut places = vec![place.to_owned()];
    let derivatives = root.join("derivatives");
    if let (true, Ok(within)) = (derivatives.is_dir(), place.strip_prefix(root)) {
        places.extend(
            entries(&derivatives)?
                .into_iter()
                .map(|pipeline| pipeline.join(within)),
        );
    }
    let stem = name(image).split("_desc-").next().unwrap_or_default();
    let stem = stem.split("_T1w.").next().unwrap_or_default();
    let masks = places.iter().flat_map(|place| {
        ["nii.gz", "nii"].map(|end| place.join(format!("{stem}_desc-brain_mask.{end}")))
    });
    // A mask whose content is missing becomes an error later. Ignoring it would change the data.
    Ok(masks.into_iter().find(|mask| there::is_listed(mask)))
}

fn with_prefix(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let all = entries(folder)?.into_iter();
    Ok(all
        .filter(|path| name(path).starts_with(prefix) && path.is_dir())
        .collect())
}
