//! A part of a sweep, as one task of a scheduler runs it.

use super::phases::Sweep;
use super::queue::Failure;
use crate::error::{Error, Result};
use crate::sweep::context::Run;
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
pub fn run_part<R: Run>(
    options: &SweepOptions,
    benchmark: &R::Benchmark,
    part: &Part,
) -> Result<Vec<Failure>> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of::<R>(options, benchmark, |problem| reporter.warn(&problem))?;
    let record = PlanFile::new(&planned, options);
    let mut sweep = Sweep::<R>::start(planned, reporter, options, record)?;
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
fn winners<B: crate::sweep::context::Benchmark>(planned: &PlannedSweep<B>) -> Result<Vec<usize>> {
    let all: Vec<_> = (0..planned.cells.len()).collect();
    require(planned, &all, MODEL, "fit")?;
    planned.winners()
}

/// Checks that an earlier phase is finished.
fn require<B>(planned: &PlannedSweep<B>, which: &[usize], file: &str, phase: &str) -> Result<()> {
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
