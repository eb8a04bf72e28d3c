//! The tables of a run in the form that a test stores.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use super::summary::Summary;
use super::write::only_analysed;
use super::{analysis, table};
use crate::error::{Error, Result};
use crate::sweep::context::{Benchmark, Opened, Run, Study};
use crate::sweep::declare::Scale;
use crate::sweep::declare::analysis::{Analysis, AnalysisItem};
use crate::sweep::execute::{Outcome, sweep_of};
use crate::sweep::planned::SweepOptions;

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
    let tables = benchmark.and_then(|benchmark| {
        let study = Opened::<R>::new(benchmark);
        tables(&study, sweep_of(&study, &options)?)
    });
    tables.unwrap_or_else(|error| panic!("{error}"))
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
fn tables(study: &dyn Study, outcome: Outcome) -> Result<String> {
    let failed = || Error::invalid(format!("failed: {:?}", outcome.failures));
    let result = outcome.result.as_ref().ok_or_else(failed)?;
    let mut analysis = Analysis::default();
    study.analysis(&outcome.folder, &mut analysis)?;
    let mut text = if only_analysed(result, &analysis) {
        String::new()
    } else {
        rounded(&table::csv(&Summary::all(result)?))?
    };
    for part in &analysis.parts {
        if let AnalysisItem::Table(table) = part {
            let title = &table.heading.title;
            text += &format!("\n\n{title}\n{}", coarse(&analysis::csv(part)?)?);
        }
    }
    Ok(text)
}

/// A table of the analysis, with at most two decimals in all numbers.
fn coarse(table: &str) -> Result<String> {
    each_field(table, |_, number| {
        Some(format!("{:.2}", (number * 100.0).round() / 100.0 + 0.0))
    })
}

/// A table with two decimals in the columns after `method`. The columns before it are values of the
/// design.
fn rounded(table: &str) -> Result<String> {
    let header = csv::Reader::from_reader(table.as_bytes())
        .headers()
        .map_err(Error::invalid)?
        .clone();
    let measured = header.iter().position(|name| name == "method");
    let measured = measured.unwrap_or(usize::MAX);
    each_field(table, |column, number| {
        (column > measured).then(|| format!("{number:.2}"))
    })
}

/// The table with its decimal numbers, those with a point, as `write` writes them in their column.
/// Where it returns `None`, the text stays.
fn each_field(table: &str, write: impl Fn(usize, f64) -> Option<String>) -> Result<String> {
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(table.as_bytes());
    let mut written = csv::Writer::from_writer(Vec::new());
    for row in rows.records() {
        let row = row.map_err(Error::invalid)?;
        let fields = row.iter().enumerate().map(|(column, field)| {
            let number = field.parse().ok().filter(|_| field.contains('.'));
            let written = number.and_then(|number| write(column, number));
            written.unwrap_or_else(|| field.to_owned())
        });
        written.write_record(fields).map_err(Error::invalid)?;
    }
    let bytes = written.into_inner().map_err(Error::invalid)?;
    let text = String::from_utf8(bytes).map_err(Error::invalid)?;
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn measured_numbers_are_rounded_and_values_of_the_design_are_not() {
        assert_eq!(
            super::rounded("baseline,rate,method,images,mean\n,0.0025,lrp,12,0.004999\n").unwrap(),
            "baseline,rate,method,images,mean\n,0.0025,lrp,12,0.00"
        );
    }
}
