//! The files and the text that a finished run leaves.

use std::fs;
use std::path::{Path, PathBuf};

use super::draw::BoxPlots;
use super::figure::Figure;
use super::page::{picture, text_file};
use super::plate::Plate;
use super::summary::Summary;
use super::{analysis, table};
use crate::error::{Error, Result};
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::read::SweepResult;

/// Writes `table.csv`, `figure.svg`, `figure.png` and `figure.csv` to the folder `dir`, which is made if it is
/// missing, and gives their paths. Of several metrics these are the figures of the first; `figure-<metric>.svg` and so on
/// are those of the others.
///
/// - `table.csv`: one row a combination of levels and method with the values chosen, the numbers
///   of images and seeds, both accuracies, and mean, 95 % confidence interval
///   ([`bootstrap_mean`](crate::statistics::bootstrap_mean)) and median of the metric; then the
///   baselines' rows. Of several metrics a column `metric` says which.
/// - `figure.svg` and `figure.png`: laid out like Figure 4 of the paper, a panel a method. The
///   second axis runs along x, the levels of all others have a colour each.
/// - `figure.csv`: what the figure shows, a row a box with its quartiles and whiskers.
///
/// # Errors
/// A cell without a level of an axis, a score that is not finite, a sweep without a single score, and files that cannot
/// be written.
pub fn write(result: &SweepResult, dir: &Path) -> Result<Vec<PathBuf>> {
    let summaries = Summary::all(result)?;
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    let mut paths = vec![text_file(dir, "table.csv", &table::csv(&summaries))?];
    for (at, summary) in summaries.iter().enumerate() {
        let name = figure_name(at, summary);
        let figure = Figure::of(summary);
        paths.extend(picture(&BoxPlots::of(&figure), dir, &name)?);
        paths.push(text_file(dir, &format!("{name}.csv"), &figure.csv())?);
    }
    Ok(paths)
}

/// The name of the figure of a result's metric, by its place among them.
pub(super) fn figure_name(at: usize, summary: &Summary) -> String {
    match at {
        0 => "figure".to_owned(),
        _ => format!("figure-{}", summary.metric),
    }
}

/// Writes a plate as `figure.svg` and `figure.png` to the folder `dir`, which is made if it is missing,
/// and gives their paths.
///
/// # Errors
/// Files that cannot be written.
pub fn write_plate(plate: &Plate, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    Ok(picture(plate, dir, "figure")?.to_vec())
}

/// The mean of each metric as an aligned table: one row a combination of the axes' levels with its test
/// accuracy, one column a method; then a row a baseline. Of a result that [`write`] refuses, the
/// reason stands in the table's place.
pub fn table_text(result: &SweepResult) -> String {
    match Summary::all(result) {
        Ok(summaries) => {
            let tables: Vec<String> = summaries.iter().map(table::text).collect();
            tables.join("\n")
        }
        Err(reason) => reason.to_string(),
    }
}

/// Everything that a finished run leaves in its folder: what [`write`] makes, then the experiment's own
/// tables and charts with `analysis.json`, a list of them (name, title, caption, and the files `csv`,
/// `svg` and `png`). An experiment without any score, whose analysis is all there is, has no table and figure.
///
/// # Errors
/// Those of [`write`]; parts of the analysis without a name of their own or without anything to show.
pub fn write_all(result: &SweepResult, analysis: &Analysis, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    let mut paths = match only_analysed(result, analysis) {
        true => Vec::new(),
        false => write(result, dir)?,
    };
    paths.extend(analysis::write(analysis, dir)?);
    Ok(paths)
}

/// The tables and charts of an analysis by themselves, as [`write_all`] writes them.
///
/// # Errors
/// Parts without a name of their own or without anything to show; files that cannot be written.
pub fn write_analysis(analysis: &Analysis, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    analysis::write(analysis, dir)
}

/// What the terminal shows of the same: [`table_text`], then the tables of the analysis.
pub fn text_of_all(result: &SweepResult, analysis: &Analysis) -> String {
    let table = match only_analysed(result, analysis) {
        true => String::new(),
        false => table_text(result),
    };
    table + &analysis::text(analysis)
}

/// Whether a run has an analysis of its own and no score.
pub(super) fn only_analysed(result: &SweepResult, analysis: &Analysis) -> bool {
    let unscored = result.cells.iter().all(|cell| cell.scores.is_empty());
    unscored && !analysis.parts.is_empty()
}
