//! A part of a sweep, as one task of a scheduler runs it.

use super::phases::Sweep;
use super::queue::Failure;
use super::work::Work;
use crate::error::{Error, Result};
use crate::sweep::keep::{MODEL, PREDICTIONS};
use crate::sweep::planned::{Part, PhaseName, PlanFile, PlannedSweep, SweepOptions};
use crate::sweep::watch::Reporter;

/// Runs the part that the options name, of the plan that lies in the folder. Returns the cells that
/// failed; the others are finished.
///
/// Cells that are in progress in another process are left to it.
///
/// # Errors
/// If the plan in the folder is another one, if an earlier phase is not finished, or as
/// [`sweep`](super::sweep).
pub(crate) fn run_part(
    study: &dyn Work,
    options: &SweepOptions,
    part: &Part,
) -> Result<Vec<Failure>> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn(&problem))?;
    let record = PlanFile::new(study, &planned, options);
    let mut sweep = Sweep::start(study, planned, reporter, options, record)?;
    let own: Vec<usize> = (0..sweep.planned.cells.len()).collect();
    match part.phase {
        PhaseName::Stages => sweep.stages(&own)?,
        PhaseName::Fit => sweep.fit(&own)?,
        PhaseName::Predict => {
            let winners = winners(&sweep.planned)?;
            let own = part.of(&winners, own.len())?;
            sweep.predict(&own)?
        }
        PhaseName::Test => {
            let winners = winners(&sweep.planned)?;
            require(&sweep.planned, &winners, PREDICTIONS, "predict")?;
            let own = part.of(&winners, own.len())?;
            let agreed = sweep.agree(&winners)?;
            sweep.test(&own, &agreed)?
        }
    };
    Ok(sweep.failures)
}

/// The winners, if all cells are fitted.
fn winners(planned: &PlannedSweep) -> Result<Vec<usize>> {
    let all: Vec<_> = (0..planned.cells.len()).collect();
    require(planned, &all, MODEL, "fit")?;
    planned.winners()
}

/// Checks that an earlier phase is finished.
fn require(planned: &PlannedSweep, which: &[usize], file: &str, phase: &str) -> Result<()> {
    let missing = which
        .iter()
        .filter(|&&at| !planned.cells[at].has(file))
        .count();
    if missing == 0 {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the phase `{phase}` is not finished: {missing} of {} cells are missing; --status shows them",
        which.len()
    )))
}
