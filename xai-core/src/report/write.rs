//! The files and the text of a finished run.

use std::fs;
use std::path::{Path, PathBuf};

use super::figure::{self, Figure};
use super::main_figure::MainFigure;
use super::page::{picture, remove_file, text_file};
use super::plate::Plate;
use super::summary::Summary;
use super::{analysis, checks, table};
use crate::error::{Error, Result};
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::read::SweepResult;

/// Writes `table.csv`, `figure.svg`, `figure.png` and `figure.csv` into the folder `dir`, which is
/// created if necessary. Returns their paths. With several metrics, these are the figures of the
/// first. The others are `figure-<metric>.svg` and so on.
///
/// - `table.csv`: one row per combination of levels and method, with the selected values, the
///   numbers of images and seeds, both accuracies, and mean, 95 % confidence interval
///   ([`bootstrap_mean`](crate::statistics::bootstrap_mean)) and median of the metric. The rows of
///   the references follow. With several metrics, the column `metric` names them.
/// - `figure.svg` and `figure.png`: the layout of Figure 4 of the paper, with one panel per method.
///   The second axis runs along x. Each combination of the levels of the others has a colour. With
///   more than six of these, the figure is a matrix of means: one row per method, one column per
///   combination.
/// - `checks.csv`, if the scores hold [checks](crate::metrics::CHECKS): for each cell and method, how many maps are 0 or
///   constant or tied, and how far attributions are from their promised sum.
/// - `figure.csv`: the values in the figure, one row per box with its quartiles, whiskers and mean, and rows with the
///   method `Chance level`: one, or one for each series and level if they differ.
///
/// Figures of other metrics and checks that an earlier call has written there are removed.
///
/// # Errors
/// If a cell lacks a level of an axis, if a score is not finite, if no cell has a score, or if a
/// file cannot be written.
pub fn write(result: &SweepResult, dir: &Path) -> Result<Vec<PathBuf>> {
    let summaries = Summary::all(result)?;
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    let mut paths = vec![text_file(dir, TABLE, &table::csv(&summaries))?];
    for (at, summary) in summaries.iter().enumerate() {
        let name = figure_name(at, summary);
        let figure = Figure::of(summary);
        paths.extend(picture(&MainFigure::of(summary, &figure), dir, &name)?);
        paths.push(text_file(dir, &format!("{name}.csv"), &figure.csv())?);
    }
    if let Some(text) = checks::csv(result) {
        paths.push(text_file(dir, CHECKS, &text)?);
    }
    remove_earlier(dir, &paths)?;
    Ok(paths)
}

const TABLE: &str = "table.csv";
const CHECKS: &str = "checks.csv";

/// Removes the table and figures of scores that are no longer there, and checks that are no longer there: an archive of
/// the folder would hold them as results of this run. Files of the same names count as a user's if they begin in
/// another way.
fn remove_earlier(dir: &Path, kept: &[PathBuf]) -> Result<()> {
    let entries = fs::read_dir(dir).map_err(|error| Error::file(dir, error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let of_figure =
            name == "figure.csv" || (name.starts_with("figure-") && name.ends_with(".csv"));
        if kept.contains(&path) || !(of_figure || name == CHECKS || name == TABLE) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let header = text.lines().next().unwrap_or_default();
        if of_figure && header.starts_with(figure::BEGINNING) {
            for ending in ["csv", "svg", "png"] {
                remove_file(&path.with_extension(ending))?;
            }
        } else if (name == CHECKS && header.ends_with(&checks::COLUMNS.join(",")))
            || (name == TABLE && table::is_header(header))
        {
            remove_file(&path)?;
        }
    }
    Ok(())
}

/// The name of the figure of a result's metric, by its index among the metrics.
pub(super) fn figure_name(at: usize, summary: &Summary) -> String {
    match at {
        0 => "figure".to_owned(),
        _ => format!("figure-{}", summary.metric),
    }
}

/// Writes a plate as `figure.svg` and `figure.png` into the folder `dir`, which is created if
/// necessary. Returns their paths.
///
/// # Errors
/// If a file cannot be written.
pub fn write_plate(plate: &Plate, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    Ok(picture(plate, dir, "figure")?.to_vec())
}

/// The mean of each metric as an aligned table: one row per combination of the axes' levels with
/// its test accuracy, and one column per method. One row per reference follows. If [`write()`]
/// rejects the result, the reason replaces the table.
pub fn table_text(result: &SweepResult) -> String {
    match Summary::all(result) {
        Ok(summaries) => {
            let tables = summaries.iter().enumerate();
            let tables: Vec<String> = tables
                .map(|(at, summary)| table::text(summary, &figure_name(at, summary)))
                .collect();
            let mut text = tables.join("\n");
            for (at, line) in checks::lines(result).iter().enumerate() {
                let gap = if at == 0 { "\n" } else { "" };
                text.push_str(&format!("{gap}check: {line}\n"));
            }
            text
        }
        Err(reason) => reason.to_string(),
    }
}

/// Writes everything that a finished run leaves in its folder: the files of [`write()`], and the
/// experiment's own tables and charts with `analysis.json`, which lists them (name, title, caption,
/// and the files `csv`, `svg` and `png`). An experiment without any score, which only has an
/// analysis, has no table and figure; those of an earlier run are removed. So are files that an earlier `analysis.json`
/// lists and this one does not.
///
/// # Errors
/// Those of [`write()`]; if the name of a part of the analysis is not valid or not unique, or if a
/// part has nothing to show.
pub fn write_all(result: &SweepResult, analysis: &Analysis, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    let mut paths = if only_analysed(result, analysis) {
        remove_earlier(dir, &[])?;
        Vec::new()
    } else {
        write(result, dir)?
    };
    let earlier = analysis::listed(dir);
    paths.extend(analysis::write(analysis, dir)?);
    for path in earlier.iter().filter(|path| !paths.contains(path)) {
        remove_file(path)?;
    }
    Ok(paths)
}

/// The tables and charts of an analysis alone, written as by [`write_all`].
///
/// # Errors
/// If the name of a part is not valid or not unique, if a part has nothing to show, or if a file
/// cannot be written.
pub fn write_analysis(analysis: &Analysis, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    analysis::write(analysis, dir)
}

/// The text for the terminal: [`table_text`], then the tables of the analysis.
pub fn text_of_all(result: &SweepResult, analysis: &Analysis) -> String {
    let table = if only_analysed(result, analysis) {
        String::new()
    } else {
        table_text(result)
    };
    table + &analysis::text(analysis)
}

/// Whether a run has its own analysis and no score.
pub(super) fn only_analysed(result: &SweepResult, analysis: &Analysis) -> bool {
    let unscored = result.cells.iter().all(|cell| cell.scores.is_empty());
    unscored && !analysis.parts.is_empty()
}
