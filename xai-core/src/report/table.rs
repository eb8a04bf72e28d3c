//! The table as CSV for programs and as aligned text for the terminal.

use std::fmt::Write;

use rayon::prelude::*;

use super::quality::Quality;
use super::summary::{Summary, images};
use crate::attribution::methods::method_title;
use crate::metrics::metric_title;
use crate::statistics::{Interval, bootstrap_mean, mean, quantile};
use crate::sweep::read::Image;

/// The seed of the bootstrap. It is constant, so that two reports of one result agree.
const BOOTSTRAP_SEED: u64 = 0;

/// A row of the CSV before its last columns are computed.
struct Row<'a> {
    start: Vec<String>,
    values: Vec<(Image<'a>, f64)>,
}

/// `table.csv`: a header, one row per combination and method, and one row per reference and method.
///
/// With one metric, the last columns have its name, such as `precision_mean`. With several metrics,
/// the rows of each follow each other, and the column `metric` names it.
pub(super) fn csv(summaries: &[Summary]) -> String {
    let Some(first) = summaries.first() else {
        return String::new();
    };
    let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.to_owned()).collect() };
    let mut header = texts(&["baseline"]);
    header.extend(first.axes.iter().map(|axis| axis.name.clone()));
    header.extend(texts(&first.others));
    header.extend(texts(&["method"]));
    let several = summaries.len() > 1;
    if several {
        header.extend(texts(&["metric"]));
    }
    header.extend(texts(&["images", "seeds"]));
    let quality = first.quality;
    header.extend(["validation", "test"].map(|split| format!("{split}_{}", quality.name())));
    if quality == Quality::R2 {
        header.push("test_mae".to_owned());
    }
    let numbers = ["mean", "ci95_low", "ci95_high", "median"];
    header.extend(numbers.map(|number| {
        if several {
            number.to_owned()
        } else {
            format!("{}_{number}", first.metric)
        }
    }));

    let rows: Vec<Row> = summaries
        .iter()
        .flat_map(|summary| rows(summary, several))
        .collect();
    // The bootstrap takes most of the time. Rows are independent, and their order is kept.
    let lines: Vec<String> = rows
        .into_par_iter()
        .map(|Row { mut start, values }| {
            start.extend(number_columns(&values));
            joined(&start)
        })
        .collect();
    format!("{}\n{}\n", joined(&header), lines.join("\n"))
}

fn joined(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    fields.join(",")
}

/// The rows of one metric.
fn rows<'a>(summary: &Summary<'a>, several: bool) -> Vec<Row<'a>> {
    let metric = || several.then(|| summary.metric.to_owned());
    let mut rows: Vec<Row> = Vec::new();
    for group in &summary.groups {
        let levels = summary
            .axes
            .iter()
            .zip(&group.levels)
            .map(|(axis, &level)| axis.levels[level].clone());
        let others = summary.others.iter().map(|name| group.chosen(name));
        let start: Vec<String> = [String::new()]
            .into_iter()
            .chain(levels)
            .chain(others)
            .collect();
        for method in &summary.methods {
            let values = group.scores(method);
            let mut row = start.clone();
            row.push((*method).to_owned());
            row.extend(metric());
            row.extend([
                images(&values).to_string(),
                group.seeds().to_string(),
                decimals(group.validation_quality()),
                decimals(group.test_quality()),
            ]);
            row.extend(group.test_mae().map(decimals));
            rows.push(Row { start: row, values });
        }
    }
    for baseline in &summary.baselines {
        for method in &baseline.methods {
            let values = baseline.scores(method);
            let mut row = vec![baseline.name.to_owned()];
            row.resize(1 + summary.axes.len() + summary.others.len(), String::new());
            row.push((*method).to_owned());
            row.extend(metric());
            row.push(images(&values).to_string());
            // No seeds, and no networks.
            let without = match summary.quality {
                Quality::Accuracy => 3,
                Quality::R2 => 4,
            };
            row.resize(row.len() + without, String::new());
            rows.push(Row { start: row, values });
        }
    }
    rows
}

/// The mean and its 95 % confidence interval. `None` if there are no values. Few images have no interval.
pub(super) fn mean_and_interval(values: &[(Image, f64)]) -> Option<(f64, Option<Interval>)> {
    let plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    Some((mean(&plain)?, bootstrap_mean(values, 0.95, BOOTSTRAP_SEED)))
}

/// Mean, both ends of its 95 % confidence interval, and median. Empty fields if there are no
/// values, or too few images for an interval.
fn number_columns(values: &[(Image, f64)]) -> [String; 4] {
    let known = mean_and_interval(values);
    let interval = known.and_then(|(_, interval)| interval);
    let mut plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    plain.sort_by(f64::total_cmp);
    [
        known.map(|(mean, _)| mean),
        interval.map(|interval| interval.low),
        interval.map(|interval| interval.high),
        quantile(&plain, 0.5),
    ]
    .map(|number| number.map_or(String::new(), decimals))
}

/// Six decimals, which is more than the precision of any of these numbers. Numbers nearer to 0 than 1e-3, such as p
/// values, have seven digits and an exponent instead, so that they keep their magnitude. Machines may differ in a
/// number's last bits, and these are not written.
pub(super) fn decimals(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 {
        format!("{number:.6e}")
    } else {
        format!("{number:.6}")
    }
}

/// A field in the format of RFC 4180.
pub(super) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

/// Whether a line is the first of what [`csv`] has written.
pub(super) fn is_header(line: &str) -> bool {
    line.starts_with("baseline,") && line.contains(",images,seeds,")
}

/// The table of one metric for the terminal; see [`table_text`](super::table_text). `figure` is the name of its figure.
pub(super) fn text(summary: &Summary, figure: &str) -> String {
    let axes = summary.axes.len();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in &summary.groups {
        let levels = summary
            .axes
            .iter()
            .zip(&group.levels)
            .map(|(axis, &level)| axis.levels[level].clone());
        let mut row: Vec<String> = levels.collect();
        row.push(format!("{:.3}", group.test_quality()));
        row.extend(
            summary
                .methods
                .iter()
                .map(|method| mean_text(&group.scores(method))),
        );
        rows.push(row);
    }
    let header: Vec<Vec<String>> = summary
        .axes
        .iter()
        .map(|axis| axis.name.clone())
        .chain([summary.quality.title().to_owned()])
        .chain(summary.methods.iter().map(|method| method_title(method)))
        .map(|title| wrapped(&title))
        .collect();
    let mut widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().map(|row| &row[column]);
            cells
                .chain(&header[column])
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    // The name of a reference spans the columns of the axes and of the accuracy, which it does not
    // have.
    let start = |widths: &[usize]| widths[..=axes].iter().sum::<usize>() + 2 * axes;
    let longest = summary
        .baselines
        .iter()
        .map(|one| one.title.chars().count())
        .max()
        .unwrap_or(0);
    let missing = longest.saturating_sub(start(&widths));
    widths[axes] += missing;

    let mut out = format!("{}: mean {}", summary.name, metric_title(summary.metric));
    if let Some(chance) = summary.about_chance(figure) {
        write!(out, " ({chance})").expect("a string takes everything");
    }
    out.push_str("\n\n");
    let height = header.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        // Short titles are placed at the bottom, next to their numbers.
        let titles = header.iter().map(|title| {
            let from = height - title.len();
            if line < from {
                ""
            } else {
                title[line - from].as_str()
            }
        });
        push_row(&mut out, titles, &widths, axes);
    }
    for row in &rows {
        push_row(&mut out, row.iter().map(String::as_str), &widths, axes);
    }
    for baseline in &summary.baselines {
        let name_width = start(&widths);
        write!(out, "{:name_width$}", baseline.title).expect("a string takes everything");
        for (method, width) in summary.methods.iter().zip(&widths[axes + 1..]) {
            let mean = mean_text(&baseline.beside(method, &summary.methods));
            write!(out, "  {mean:>width$}").expect("a string takes everything");
        }
        out.push('\n');
    }
    out
}

/// Levels are aligned to the left, and numbers to the right.
pub(super) fn push_row<'a>(
    out: &mut String,
    row: impl Iterator<Item = &'a str>,
    widths: &[usize],
    axes: usize,
) {
    let cells: Vec<String> = row
        .zip(widths)
        .enumerate()
        .map(|(column, (text, &width))| {
            if column < axes {
                format!("{text:width$}")
            } else {
                format!("{text:>width$}")
            }
        })
        .collect();
    out.push_str(cells.join("  ").trim_end());
    out.push('\n');
}

fn mean_text(values: &[(Image, f64)]) -> String {
    let plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    mean(&plain).map_or("-".to_owned(), |mean| format!("{mean:.3}"))
}

/// Splits a title at spaces into lines of at most ten letters if possible.
pub(super) fn wrapped(title: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 10 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
