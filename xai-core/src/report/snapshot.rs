//! The table of a run as a test holds it.

use std::fs;

use super::{Summary, table};
use crate::experiment::{Run, Scale, SweepOptions, sweep};

/// Runs an experiment in a folder of its own and gives its table, with measured numbers rounded to two decimals.
///
/// Rounding hides what another libm may change in the last digits of a float; the kernels themselves round alike on
/// every processor and with any number of threads. What `#[experiment(snapshot = smoke)]` expands to calls this.
///
/// # Panics
/// If the run fails: this is for tests.
pub fn snapshot<R: Run>(scale: Scale) -> String {
    let name = format!("xai-{}-{}", R::spec().name, std::process::id());
    let out = std::env::temp_dir().join(name);
    let outcome = sweep::<R>(&SweepOptions {
        scale,
        jobs: rayon::current_num_threads(),
        out: out.clone(),
        quiet: true,
        ..SweepOptions::default()
    });
    let _ = fs::remove_dir_all(&out);
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    let result = outcome
        .result
        .unwrap_or_else(|| panic!("failed: {:?}", outcome.failures));
    let summary = Summary::of(&result).unwrap_or_else(|error| panic!("{error}"));
    rounded(&table::csv(&summary))
}

/// A table with two decimals in the columns behind `method`; those before it are values of the design.
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
