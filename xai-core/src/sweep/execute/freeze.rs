//! Freezes a plan: what a sweep is, and the program that runs it, for tasks that start later.

use std::fs;
use std::path::{Path, PathBuf};

use super::slurm::job_of_another_plan;
use crate::error::{Error, Result};
use crate::files::write_file;
use crate::sweep::context::Study;
use crate::sweep::planned::{PlanFile, PlannedSweep, SweepOptions};
use crate::sweep::watch::Reporter;

/// Writes `plan.json` and a copy of this program beside it, so that a new build does not change what
/// tasks run. Returns the path of the copy. The `plan.json` of a finished run of the same cells with the same
/// scores is kept, because results are read by it.
///
/// # Errors
/// If the design cannot be laid out, if jobs of another plan run in the same folder, or if a file cannot be written.
pub fn freeze(study: &dyn Study, options: &SweepOptions) -> Result<PathBuf> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn(&problem))?;
    if let Some(error) = job_of_another_plan(study, &planned)? {
        return Err(error);
    }
    freeze_planned(study, &planned, options, false)
}

/// As [`freeze`]. If the caller `continues` a finished run, such as to score it again, it is not finished any more.
pub(super) fn freeze_planned(
    study: &dyn Study,
    planned: &PlannedSweep,
    options: &SweepOptions,
    continues: bool,
) -> Result<PathBuf> {
    if continues || !planned.is_finished(study) {
        let _claim = planned.store.claim_reports()?;
        PlanFile::new(study, planned, options).keep(&planned.store, &planned.cells)?;
    }
    copy_program(planned.store.folder(), planned.plan.name)
}

/// Copies this program into a folder. Its name has a hash of its content.
fn copy_program(folder: &Path, name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()
        .map_err(|error| Error::invalid(format!("this program cannot be found: {error}")))?;
    let content = fs::read(&this).map_err(|error| Error::file(&this, error))?;
    let hash = blake3::hash(&content).to_hex();
    let ending = this.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    let path = folder.join(format!("{name}-{}{ending}", &hash[..8]));
    let path = std::path::absolute(&path).map_err(|error| Error::file(&path, error))?;
    if !path.exists() {
        write_file(&path, |aside| {
            // With the permission to run it.
            fs::copy(&this, aside).map_err(|error| Error::file(aside, error))
        })?;
    }
    Ok(path)
}
