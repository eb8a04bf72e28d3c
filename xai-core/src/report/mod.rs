//! Tables and figures: what a finished sweep looks like in a paper.
//!
//! [`write`] makes the files, [`table_text`] the table that the terminal shows. All of them show
//! [precision](crate::metrics::Precision): one table row, one box, is one combination of the axes'
//! levels and one method, over all images and training seeds.

mod analysis;
mod canvas;
mod chart;
mod curves;
mod draw;
mod figure;
mod font;
mod forest;
mod heat_color;
mod heat_maps;
mod html;
mod layout;
mod legend;
mod names;
mod outline;
mod page;
mod plate;
mod snapshot;
mod summary;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::read::SweepResult;

pub use html::write_page;
pub use names::method_title;
pub use plate::{Picture, Plate, Row};
pub use snapshot::snapshot;

use draw::BoxPlots;
use figure::Figure;
use summary::Summary;

/// Writes `table.csv`, `figure.svg`, `figure.png` and `figure.csv` to the folder `dir`, which is made if it is
/// missing, and gives their paths.
///
/// - `table.csv`: one row a combination of levels and method with the values chosen, the numbers
///   of images and seeds, both accuracies, and mean, 95 % confidence interval
///   ([`bootstrap_mean`](crate::statistics::bootstrap_mean)) and median of the precision; then the
///   baselines' rows.
/// - `figure.svg` and `figure.png`: laid out like Figure 4 of the paper, a panel a method. The
///   second axis runs along x, the levels of all others have a colour each.
/// - `figure.csv`: what the figure shows, a row a box with its quartiles and whiskers.
///
/// # Errors
/// A cell without a level of an axis, a score that is not finite, a sweep without a single score of
/// precision, and files that cannot be written.
pub fn write(result: &SweepResult, dir: &Path) -> Result<Vec<PathBuf>> {
    let summary = Summary::of(result)?;
    let figure = Figure::of(&summary);
    let plots = BoxPlots::of(&figure);
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    Ok(vec![
        aside(dir, "table.csv", |path| {
            fs::write(path, table::csv(&summary)).map_err(|e| Error::file(path, e))
        })?,
        aside(dir, "figure.svg", |path| page::svg(&plots, path))?,
        aside(dir, "figure.png", |path| page::png(&plots, path))?,
        aside(dir, "figure.csv", |path| {
            fs::write(path, figure.csv()).map_err(|e| Error::file(path, e))
        })?,
    ])
}

/// Writes a plate as `figure.svg` and `figure.png` to the folder `dir`, which is made if it is missing,
/// and gives their paths.
///
/// # Errors
/// Files that cannot be written.
pub fn write_plate(plate: &Plate, dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|e| Error::file(dir, e))?;
    Ok(vec![
        aside(dir, "figure.svg", |path| page::svg(plate, path))?,
        aside(dir, "figure.png", |path| page::png(plate, path))?,
    ])
}

/// The mean precision as an aligned table: one row a combination of the axes' levels with its test
/// accuracy, one column a method; then a row a baseline. Of a result that [`write`] refuses, the
/// reason stands in the table's place.
pub fn table_text(result: &SweepResult) -> String {
    Summary::of(result).map_or_else(|reason| reason.to_string(), |summary| table::text(&summary))
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

fn only_analysed(result: &SweepResult, analysis: &Analysis) -> bool {
    let unscored = result.cells.iter().all(|cell| cell.scores.is_empty());
    unscored && !analysis.parts.is_empty()
}

/// Writes a file under another name and renames it, so that nobody ever finds half of one.
fn aside(dir: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let partial = dir.join(format!(".partial-{name}"));
    let path = dir.join(name);
    make(&partial)?;
    fs::rename(&partial, &path).map_err(|e| Error::file(&path, e))?;
    Ok(path)
}
