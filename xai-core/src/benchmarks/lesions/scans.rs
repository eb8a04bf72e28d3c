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
const SLICES_CODE: u32 = 3;

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
    /// both, and the names of those whose scans cannot be used. Each scan is read and cut once. Its slices are then a
    /// stage.
    ///
    /// # Errors
    /// If scans cannot be used; all are listed in one message. With `skip_bad`, they are warnings. If the operating
    /// system reports an error, because other processes may be able to read the scan and would then use other subjects.
    pub(super) fn subjects(
        &self,
        context: &Context,
        most: usize,
    ) -> Result<(Vec<ScannedSubject>, Vec<String>)> {
        let mut scans: Vec<&Scan> = self.folder.scans.iter().collect();
        scans.shuffle(&mut stream(0, "scans/order"));
        let mut waiting = in_pairs(scans, |scan| scan.sex).into_iter();
        let (mut subjects, mut left_out) = (Vec::new(), Vec::new());
        let mut problems = self.folder.problems.clone();
        let bar = context.progress(most.min(waiting.len()), "reading scans");
        // Subjects that are left out are replaced while there are others.
        while subjects.len() < most && waiting.len() > 0 {
            let next: Vec<&Scan> = waiting.by_ref().take(most - subjects.len()).collect();
            let cut = next.into_par_iter().map(|scan| {
                let subject = cut(scan, context);
                (scan, bar.tick().and(subject))
            });
            for (scan, subject) in cut.collect::<Vec<_>>() {
                match subject {
                    Ok(subject) => subjects.push(subject),
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    Err(problem) if problem.is_reported_by_the_system() => {
                        return Err(of_the_system(problem));
                    }
                    Err(problem) => {
                        problems.push(problem.to_string());
                        left_out.push(scan.subject.clone());
                    }
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
        Ok((in_pairs(subjects, |subject| subject.sex), left_out))
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

/// Adds a run's data to the inputs of a key, and the subjects that were left out when its scans were read. Where there is
/// nothing to add, results keep their keys.
pub(super) fn with_data(mut inputs: Json, data: Option<&Scans>, left_out: &[String]) -> Json {
    if let Some(data) = data {
        inputs["data"] = json!(data.fingerprint);
    }
    if !left_out.is_empty() {
        inputs["left_out"] = json!(left_out);
    }
    inputs
}

/// An error of the operating system, with the way out.
fn of_the_system(error: Error) -> Error {
    match error {
        Error::File { path, problem } => Error::file(
            path,
            format!(
                "{problem}; this does not mean that the scan is bad, so --skip-bad does not leave it out: run the same \
                 command again, and if the error stays, take the subject out of the table"
            ),
        ),
        other => other,
    }
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
