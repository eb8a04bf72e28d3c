//! The record of a submission: `slurm/<number>/jobs.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::commands::live_tasks;
use crate::error::{Error, Result};
use crate::files::{make_folder, write_json};
use crate::key::Key;
use crate::sweep::context::Study;
use crate::sweep::plan::positions;
use crate::sweep::planned::{PlannedSweep, check_frozen, scored_key};

const JOBS: &str = "jobs.json";

/// The folder of the submissions of a sweep.
pub fn folder(planned: &PlannedSweep) -> PathBuf {
    planned.store.folder().join("slurm")
}

/// What is wrong if a job of another plan than this waits or runs, or one that scores otherwise. The first would find this
/// one's `plan.json` and fail, and the other would mix its scores with this one's.
///
/// # Errors
/// If Slurm cannot be asked about such a job.
pub fn job_of_another_plan(study: &dyn Study, planned: &PlannedSweep) -> Result<Option<Error>> {
    // Most runs are on one machine, and comparing plans takes time.
    if submissions(&folder(planned)).is_empty() {
        return Ok(None);
    }
    let all: Vec<_> = (0..planned.cells.len()).collect();
    let same = check_frozen(&planned.store, &planned.plan, &all, &planned.cells).is_ok();
    let scored = scored_key(study, &planned.cells)?;
    let other = |job: &Job| !same || job.scored.as_ref().is_some_and(|known| *known != scored);
    let live = live_jobs(planned, &other)?;
    Ok(live.first().map(|one| {
        Error::invalid(format!(
            "job {} of another plan, or with other settings of the scores, waits or runs in {}; cancel it by scancel, or \
             choose another folder by --out",
            one.job.job,
            planned.store.folder().display()
        ))
    }))
}

/// A job array that was submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Such as `fit`.
    pub phase: String,
    /// Slurm's number.
    pub job: u64,
    /// The file with the cells of each task, in the folder of the submission. `None` if the tasks divide
    /// the winners, which were not known.
    pub list: Option<String>,
    /// The key of what decides the scores. Earlier versions did not record it.
    #[serde(default)]
    pub scored: Option<Key>,
}

/// A job of an earlier submission of which tasks wait or run.
pub struct LiveJob {
    pub job: Job,
    /// The cells of these tasks, by their positions in the plan. Empty without a list.
    pub cells: BTreeSet<usize>,
}

/// The jobs of all earlier submissions that wait or run, among those that are `asked` for.
pub fn live_jobs(planned: &PlannedSweep, asked: &dyn Fn(&Job) -> bool) -> Result<Vec<LiveJob>> {
    let mut live = Vec::new();
    for folder in submissions(&folder(planned)) {
        let path = folder.join(JOBS);
        let Ok(text) = fs::read(&path) else { continue }; // a dry run
        let jobs: Vec<Job> = serde_json::from_slice(&text).map_err(|error| {
            Error::file(
                &path,
                format!("is damaged ({error}); delete it if none of its jobs waits or runs"),
            )
        })?;
        for job in jobs.into_iter().filter(asked) {
            let tasks = live_tasks(job.job)?;
            if tasks.is_empty() {
                continue;
            }
            let mut cells = BTreeSet::new();
            if let Some(list) = &job.list {
                let list = folder.join(list);
                let text = fs::read_to_string(&list).map_err(|error| Error::file(&list, error))?;
                for (task, line) in (1..).zip(text.lines()) {
                    if tasks.contains(&task) {
                        cells.extend(positions(line, planned.cells.len()).unwrap_or_default());
                    }
                }
            }
            live.push(LiveJob { job, cells });
        }
    }
    Ok(live)
}

/// Makes the folder of the next submission.
pub fn next(slurm: &Path) -> Result<PathBuf> {
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let last = submissions(slurm).iter().filter_map(number).max();
    let folder = slurm.join((last.unwrap_or(0) + 1).to_string());
    make_folder(slurm)?;
    fs::create_dir(&folder).map_err(|error| Error::file(&folder, error))?;
    make_folder(&folder.join("log"))?;
    Ok(folder)
}

/// Writes the record.
pub fn keep(folder: &Path, jobs: &[Job]) -> Result<()> {
    write_json(&folder.join(JOBS), &jobs)
}

/// The folders of all submissions.
fn submissions(slurm: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(slurm).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
