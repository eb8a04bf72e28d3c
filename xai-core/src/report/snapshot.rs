//! The tables of a run in the form that a test stores.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use super::summary::Summary;
use super::write::only_analysed;
use super::{analysis, table};
use crate::error::{Error, Result};
use crate::sweep::context::{Benchmark, Run};
use crate::sweep::declare::Scale;
use crate::sweep::declare::analysis::{Analysis, AnalysisItem};
use crate::sweep::execute::{Outcome, sweep};
use crate::sweep::planned::SweepOptions;
use crate::sweep::read::results_in;

/// Runs an experiment in a folder of this process and returns its tables, with measured numbers
/// rounded to two decimals.
///
/// Rounding hides differences in the last digits between versions of libm. The kernels themselves
/// round in the same way on every processor and with any number of threads. The expansion of
/// `#[experiment(snapshot = smoke)]` calls this.
///
/// # Panics
/// If the run fails, because this is for tests.
pub fn snapshot<R: Run>(scale: Scale) -> String {
    let options = SweepOptions {
        scale,
        jobs: rayon::current_num_threads(),
        out: folder(),
        quiet: true,
        ..SweepOptions::default()
    };
    let benchmark = R::Benchmark::open(&Default::default(), scale);
    let outcome = benchmark.and_then(|benchmark| sweep::<R>(&options, &benchmark));
    let table = outcome.and_then(tables::<R>);
    table.unwrap_or_else(|error| panic!("{error}"))
}

/// The folder of all snapshots of this process, so that they share pre-trainings and trainings. It
/// is removed when the process ends, so that the next process computes everything again.
fn folder() -> PathBuf {
    static CLEAN_UP: Once = Once::new();
    extern "C" fn remove() {
        let _ = fs::remove_dir_all(folder());
    }
    // SAFETY: the function exists as long as the process, and does not unwind.
    CLEAN_UP.call_once(|| unsafe {
        libc::atexit(remove);
    });
    std::env::temp_dir().join(format!("xai-snapshots-{}", std::process::id()))
}

/// The table, then those of the analysis.
fn tables<R: Run>(outcome: Outcome) -> Result<String> {
    let failed = || Error::invalid(format!("failed: {:?}", outcome.failures));
    let result = outcome.result.as_ref().ok_or_else(failed)?;
    let mut analysis = Analysis::default();
    R::analysis(&results_in(&outcome.folder)?, &mut analysis)?;
    let mut text = if only_analysed(result, &analysis) {
        String::new()
    } else {
        rounded(&table::csv(&Summary::all(result)?))
    };
    for part in &analysis.parts {
        if let AnalysisItem::Table(table) = part {
            let title = &table.heading.title;
            text += &format!("\n\n{title}\n{}", coarse(&analysis::csv(part)?));
        }
    }
    Ok(text)
}

/// A table of the analysis, with at most two decimals in all numbers.
fn coarse(table: &str) -> String {
    let field = |field: &str| match field.parse::<f64>() {
        Ok(number) if field.contains('.') => {
            format!("{:.2}", (number * 100.0).round() / 100.0 + 0.0)
        }
        _ => field.to_owned(),
    };
    let line = |line: &str| line.split(',').map(field).collect::<Vec<_>>().join(",");
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A table with two decimals in the columns after `method`. The columns before it are values of the
/// design.
fn rounded(table: &str) -> String {
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let measured = header.split(',').position(|name| name == "method");
    let measured = measured.unwrap_or(usize::MAX);
    let field = |(column, field): (usize, &str)| match field.parse::<f64>() {
        Ok(number) if column > measured && field.contains('.') => format!("{number:.2}"),
        _ => field.to_owned(),
    };
    let line = |line: &str| line.split(',').enumerate().map(field).collect::<Vec<_>>();
    let lines = lines.map(|text| line(text).join(","));
    let all: Vec<_> = [header.to_owned()].into_iter().chain(lines).collect();
    all.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn measured_numbers_are_rounded_and_values_of_the_design_are_not() {
        assert_eq!(
            super::rounded("baseline,rate,method,images,mean\n,0.0025,lrp,12,0.004999\n"),
            "baseline,rate,method,images,mean\n,0.0025,lrp,12,0.00"
        );
    }
}
