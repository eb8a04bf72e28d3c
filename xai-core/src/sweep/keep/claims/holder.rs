//! The file of a claim: who holds it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::process::Owner;

/// The first line of the file. The second one is the number that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// A name of this claim that no other one has.
    pub claim: String,
    /// The machine, by the name that Slurm gives it if there is one.
    pub host: String,
    /// The Slurm job, such as `12_3`.
    pub job: Option<String>,
    /// How often Slurm has started this job before.
    pub(super) restarts: u32,
    /// The cluster of the job.
    pub(super) cluster: Option<String>,
    /// The time in seconds since 1970 by the owner's clock, for people only.
    pub(super) since: u64,
}

impl Holder {
    pub(super) fn new() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let of_array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            claim: Owner::unique(),
            host: variable("SLURMD_NODENAME").unwrap_or_else(|| Owner::this().host.clone()),
            job: of_array
                .map(|(job, task)| format!("{job}_{task}"))
                .or_else(|| variable("SLURM_JOB_ID")),
            restarts: restarts(),
            cluster: variable("SLURM_CLUSTER_NAME"),
            since: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// Reads a claim. `None` if there is none.
    pub fn read(path: &Path) -> Option<Self> {
        holder(&fs::read_to_string(path).ok()?)
    }

    /// Whether its process is known to run, or known to have ended.
    pub fn runs(&self) -> Option<bool> {
        Owner::of(&self.claim)?.runs()
    }

    /// Whether it was made by this Slurm task before it was requeued.
    pub(super) fn is_earlier_life(&self) -> bool {
        let this = Self::new();
        self.job.is_some()
            && (&self.job, &self.cluster) == (&this.job, &this.cluster)
            && self.restarts < this.restarts
    }

    /// Whether Slurm says that the job has ended. This asks the controller.
    pub(super) fn job_has_ended(&self) -> bool {
        let (Some(job), Some(cluster)) = (&self.job, &self.cluster) else {
            return false;
        };
        if std::env::var("SLURM_CLUSTER_NAME").as_ref() != Ok(cluster) {
            return false;
        }
        let asked = Command::new("squeue")
            .args(["--noheader", "--format=%T", "--jobs", job])
            .output();
        let Ok(answer) = asked else { return false };
        if !answer.status.success() {
            return String::from_utf8_lossy(&answer.stderr).contains("Invalid job id");
        }
        // A job that waits to be started again does not work on anything.
        let states = String::from_utf8_lossy(&answer.stdout);
        let at_work = [
            "RUNNING",
            "COMPLETING",
            "SUSPENDED",
            "STOPPED",
            "CONFIGURING",
        ];
        !states.lines().any(|state| at_work.contains(&state.trim()))
    }
}

fn restarts() -> u32 {
    let text = std::env::var("SLURM_RESTART_COUNT").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

pub(super) fn holder(text: &str) -> Option<Holder> {
    serde_json::from_str(text.lines().next()?).ok()
}

pub(super) fn first_line(holder: &Holder) -> String {
    serde_json::to_string(holder).expect("texts and numbers") + "\n"
}

/// Creates a claim's file, which must not exist.
pub(super) fn create(path: &Path, holder: &Holder) -> std::io::Result<File> {
    let create = || File::options().write(true).create_new(true).open(path);
    let mut file = create().or_else(|error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(folder)) => {
            fs::create_dir_all(folder)?;
            create()
        }
        _ => Err(error),
    })?;
    let text = format!("{}{:010}\n", first_line(holder), 0);
    match file.write_all(text.as_bytes()) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = fs::remove_file(path); // on a full disk
            Err(error)
        }
    }
}

pub(super) fn read(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// The name of the claim in a file. A process that was killed as it created the file leaves none.
pub(super) fn name(text: Option<&str>) -> String {
    match text {
        Some(text) => holder(text).map_or_else(|| "nobody".to_owned(), |holder| holder.claim),
        None => "none".to_owned(),
    }
}

/// Where the claim at `path` goes on after one that is dead.
pub(super) fn successor(path: &Path, dead: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.after.{dead}"))
}
