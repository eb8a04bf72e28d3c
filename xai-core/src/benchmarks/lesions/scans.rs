//! The folder of real scans given by `--data`.

use std::fmt;
use std::path::Path;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::imaging::{Folder, Scan, ScannedSubject, Sex};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::random::stream;
use crate::sweep::context::Context;

/// The number of slices kept for each subject. With about 1,000 subjects, they give the published
/// numbers of images.
pub(super) const KEPT_SLICES: usize = 40;
/// Raise this when a change to reading or cutting scans changes the slices.
const SLICES_CODE: u32 = 2;

/// A folder of scans and its fingerprint.
pub(super) struct Scans {
    folder: Folder,
    skip_bad: bool,
    fingerprint: Key,
}

impl Scans {
    /// Lists the folder's scans. Reads its table but no image.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(super) fn open(path: &Path, skip_bad: bool) -> Result<Self> {
        let folder = Folder::open(path)?;
        let scan = |scan: &Scan| json!([scan.subject, scan.sex as u8, scan.stamps]);
        let scans: Vec<Json> = folder.scans.iter().map(scan).collect();
        Ok(Self {
            fingerprint: Key::of(&json!({ "scans": scans, "code": SLICES_CODE }))?,
            folder,
            skip_bad,
        })
    }

    /// The usable subjects, at most `most`, in pairs of a woman and a man as long as there are
    /// both. Each scan is read and cut once. Its slices are then a stage.
    ///
    /// # Errors
    /// If scans cannot be used; all are listed in one message. With `skip_bad`, they are warnings.
    pub(super) fn subjects(&self, context: &Context, most: usize) -> Result<Vec<ScannedSubject>> {
        let mut scans: Vec<&Scan> = self.folder.scans.iter().collect();
        scans.shuffle(&mut stream(0, "scans/order"));
        let mut waiting = in_pairs(scans, |scan| scan.sex).into_iter();
        let mut subjects = Vec::new();
        let mut problems = self.folder.problems.clone();
        let bar = context.progress(most.min(waiting.len()), "reading scans");
        // Subjects that are left out are replaced while there are others.
        while subjects.len() < most && waiting.len() > 0 {
            let next: Vec<&Scan> = waiting.by_ref().take(most - subjects.len()).collect();
            let cut = next.into_par_iter().map(|scan| {
                let subject = cut(scan, context);
                bar.tick()?;
                subject
            });
            for subject in cut.collect::<Vec<_>>() {
                match subject {
                    Ok(subject) => subjects.push(subject),
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    Err(problem) => problems.push(problem.to_string()),
                }
            }
        }
        let total = subjects.len() + problems.len();
        if !problems.is_empty() && !self.skip_bad {
            return Err(Error::invalid(format!(
                "{} of {total} subjects cannot be used:\n  {}\nRepair them, or leave them out with --skip-bad.",
                problems.len(),
                problems.join("\n  ")
            )));
        }
        for problem in &problems {
            context.reporter().warn(&format!("left out: {problem}"));
        }
        if !problems.is_empty() {
            let left = subjects.len();
            context
                .reporter()
                .warn(&format!("{left} of {total} subjects are used"));
        }
        Ok(in_pairs(subjects, |subject| subject.sex))
    }
}

impl Scans {
    /// The fingerprint of the folder: subjects, sexes, and the path, size and modification time of
    /// each file.
    pub(super) fn fingerprint(&self) -> &Key {
        &self.fingerprint
    }
}

impl fmt::Display for Scans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.folder.fmt(f)
    }
}

/// Adds a run's data to the inputs of a key. Without data, nothing is added, so that results on
/// synthetic subjects keep their keys.
pub(super) fn with_data(mut inputs: Json, data: Option<&Scans>) -> Json {
    if let Some(data) = data {
        inputs["data"] = json!(data.fingerprint);
    }
    inputs
}

/// The slices of a scan, read from their stage.
fn cut(scan: &Scan, context: &Context) -> Result<ScannedSubject> {
    const FILE: &str = "slices.nii.gz";
    let inputs = json!({ "files": scan.stamps, "slices": KEPT_SLICES, "code": SLICES_CODE });
    let folder = context.stage("slices", &inputs, |folder| {
        scan.slices(KEPT_SLICES)?.write(&folder.join(FILE))
    })?;
    Ok(ScannedSubject {
        name: scan.subject.clone(),
        sex: scan.sex,
        slices: folder.join(FILE),
    })
}

/// A woman, a man, a woman, …, and at the end the remaining people of the more frequent sex.
fn in_pairs<T>(people: Vec<T>, sex: impl Fn(&T) -> Sex) -> Vec<T> {
    let (women, men): (Vec<T>, Vec<T>) =
        people.into_iter().partition(|one| sex(one) == Sex::Female);
    let longer = women.len().max(men.len());
    let (mut women, mut men) = (women.into_iter(), men.into_iter());
    (0..longer)
        .flat_map(|_| [women.next(), men.next()])
        .flatten()
        .collect()
}
