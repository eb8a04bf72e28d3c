//! Slurm's own programs: `sbatch`, `squeue`, `scontrol`, `scancel`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};

/// The largest array that Slurm accepts unless it is configured otherwise.
const USUAL_MAX_ARRAY_SIZE: usize = 1001;

/// The number of tasks that an array may have: its indices, here from 1 on, are below Slurm's
/// MaxArraySize.
pub fn most_tasks() -> usize {
    let text = run("scontrol", &["show", "config"]).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "MaxArraySize").then(|| value.trim().parse().ok())?
    });
    found
        .unwrap_or(USUAL_MAX_ARRAY_SIZE)
        .saturating_sub(1)
        .max(1)
}

/// Submits a script. Returns the job's number.
pub fn sbatch(script: &Path, dependency: Option<&str>) -> Result<u64> {
    let mut arguments = vec!["--parsable".to_owned()];
    if let Some(dependency) = dependency {
        arguments.push(format!("--dependency={dependency}"));
        arguments.push("--kill-on-invalid-dep=yes".to_owned());
    }
    arguments.push(script.display().to_string());
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let answer = run("sbatch", &arguments)?;
    let number = answer.trim().split(';').next().unwrap_or_default();
    number
        .parse()
        .map_err(|_| Error::invalid(format!("sbatch answered `{}`", answer.trim())))
}

/// Cancels jobs that this call of the program has submitted.
pub fn scancel(jobs: &[u64]) {
    let jobs: Vec<_> = jobs.iter().map(u64::to_string).collect();
    let jobs: Vec<_> = jobs.iter().map(String::as_str).collect();
    let _ = run("scancel", &jobs);
}

/// The tasks of a job array that wait or run; 0 for a job that is no array. Empty if Slurm no longer
/// knows the job.
pub fn live_tasks(job: u64) -> Result<BTreeSet<usize>> {
    let job = job.to_string();
    let arguments = ["--noheader", "--array", "--format=%K %T", "--jobs", &job];
    let answer = match run("squeue", &arguments) {
        Err(error) if error.to_string().contains("Invalid job id") => return Ok(BTreeSet::new()),
        answer => answer?,
    };
    let task = |line: &str| {
        let (task, state) = line.trim().split_once(' ')?;
        let ended = [
            "COMPLETED",
            "CANCELLED",
            "FAILED",
            "TIMEOUT",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
        ];
        (!ended.contains(&state)).then(|| task.parse().unwrap_or(0))
    };
    Ok(answer.lines().filter_map(task).collect())
}

/// What a program of Slurm answers.
fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| {
        Error::invalid(format!(
            "`{program}` cannot be started ({error}); run this on a machine that submits jobs to Slurm, or write \
             the scripts only by --dry-run, into a folder (--out) from which nothing was submitted"
        ))
    })?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(Error::invalid(format!(
            "{program} {}: {}",
            arguments.join(" "),
            problem.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
