//! The table, for programs (CSV) and for people (aligned text).

use std::collections::BTreeSet;
use std::fmt::Write;

use rayon::prelude::*;

use super::names::method_title;
use super::summary::Summary;
use crate::statistics::{Interval, bootstrap_mean, mean, quantile};

/// The seed of the confidence intervals' resampling: a constant, as two reports of one result must agree.
const BOOTSTRAP_SEED: u64 = 0;

/// A row of the CSV before its last columns are computed.
struct Row {
    start: Vec<String>,
    values: Vec<(u32, f64)>,
}

/// `table.csv`: a header, a row a combination and method, a row a baseline and method.
pub(super) fn csv(summary: &Summary) -> String {
    let mut header = vec!["baseline"];
    header.extend(summary.axes.iter().map(|(name, _)| name.as_str()));
    header.extend(&summary.others);
    header.extend([
        "method",
        "images",
        "seeds",
        "validation_accuracy",
        "test_accuracy",
        "precision_mean",
        "precision_ci95_low",
        "precision_ci95_high",
        "precision_median",
    ]);

    let mut rows: Vec<Row> = Vec::new();
    for group in &summary.groups {
        let levels = summary
            .axes
            .iter()
            .zip(&group.levels)
            .map(|((_, names), &level)| names[level].clone());
        let others = summary.others.iter().map(|name| group.chosen(name));
        let start: Vec<String> = [String::new()]
            .into_iter()
            .chain(levels)
            .chain(others)
            .collect();
        for method in &summary.methods {
            let values = group.precision(method);
            let mut row = start.clone();
            row.extend([
                (*method).to_owned(),
                images(&values),
                group.seeds().to_string(),
                decimals(group.validation_accuracy()),
                decimals(group.test_accuracy()),
            ]);
            rows.push(Row { start: row, values });
        }
    }
    for baseline in &summary.baselines {
        for method in &baseline.methods {
            let values = baseline.precision(method);
            let mut row = vec![baseline.name.to_owned()];
            row.resize(1 + summary.axes.len() + summary.others.len(), String::new());
            row.extend([(*method).to_owned(), images(&values)]);
            row.resize(header.len() - 4, String::new());
            rows.push(Row { start: row, values });
        }
    }

    // The resampling is what takes time; rows are independent, so their order stays.
    let lines: Vec<String> = rows
        .into_par_iter()
        .map(|Row { mut start, values }| {
            start.extend(precision_columns(&values));
            start
                .iter()
                .map(|field| quoted(field))
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    let header: Vec<String> = header.into_iter().map(quoted).collect();
    format!("{}\n{}\n", header.join(","), lines.join("\n"))
}

/// The mean and its 95 % confidence interval; `None` of nothing.
pub(super) fn mean_and_interval(values: &[(u32, f64)]) -> Option<(f64, Interval)> {
    let plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    Some((mean(&plain)?, bootstrap_mean(values, 0.95, BOOTSTRAP_SEED)?))
}

/// Mean, both ends of its 95 % confidence interval, median; empty fields where there is no value.
fn precision_columns(values: &[(u32, f64)]) -> [String; 4] {
    let known = mean_and_interval(values);
    let mut plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    plain.sort_by(f64::total_cmp);
    [
        known.map(|(mean, _)| mean),
        known.map(|(_, interval)| interval.low),
        known.map(|(_, interval)| interval.high),
        quantile(&plain, 0.5),
    ]
    .map(|number| number.map_or(String::new(), decimals))
}

fn images(values: &[(u32, f64)]) -> String {
    let distinct: BTreeSet<u32> = values.iter().map(|&(image, _)| image).collect();
    distinct.len().to_string()
}

/// Six decimals: more than any of these numbers is sure to, and stable over machines.
fn decimals(number: f64) -> String {
    format!("{number:.6}")
}

/// A field as RFC 4180 has it.
pub(super) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

/// The table for the terminal; see [`table_text`](super::table_text).
pub(super) fn text(summary: &Summary) -> String {
    let axes = summary.axes.len();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in &summary.groups {
        let levels = summary
            .axes
            .iter()
            .zip(&group.levels)
            .map(|((_, names), &level)| names[level].clone());
        let mut row: Vec<String> = levels.collect();
        row.push(format!("{:.3}", group.test_accuracy()));
        row.extend(
            summary
                .methods
                .iter()
                .map(|method| mean_text(&group.precision(method))),
        );
        rows.push(row);
    }
    let header: Vec<Vec<String>> = summary
        .axes
        .iter()
        .map(|(name, _)| name.clone())
        .chain(["accuracy".to_owned()])
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
    // A baseline's name stands in the axes' columns and that of the accuracy, which it has none of.
    let start = |widths: &[usize]| widths[..=axes].iter().sum::<usize>() + 2 * axes;
    let longest = summary
        .baselines
        .iter()
        .map(|one| one.name.chars().count())
        .max()
        .unwrap_or(0);
    let missing = longest.saturating_sub(start(&widths));
    widths[axes] += missing;

    let mut out = format!("{}: mean precision", summary.name);
    if let Some(chance) = summary.chance {
        write!(out, " (chance level {chance:.3})").expect("a string takes everything");
    }
    out.push_str("\n\n");
    let height = header.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        // Short titles stand at the bottom, next to their numbers.
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
        write!(out, "{:name_width$}", baseline.name).expect("a string takes everything");
        for (method, width) in summary.methods.iter().zip(&widths[axes + 1..]) {
            let mean = mean_text(&baseline.beside(method, &summary.methods));
            write!(out, "  {mean:>width$}").expect("a string takes everything");
        }
        out.push('\n');
    }
    out
}

/// Levels to the left, numbers to the right.
pub(super) fn push_row<'a>(
    out: &mut String,
    row: impl Iterator<Item = &'a str>,
    widths: &[usize],
    axes: usize,
) {
    let cells: Vec<String> = row
        .zip(widths)
        .enumerate()
        .map(|(column, (text, &width))| match column < axes {
            true => format!("{text:width$}"),
            false => format!("{text:>width$}"),
        })
        .collect();
    out.push_str(cells.join("  ").trim_end());
    out.push('\n');
}

fn mean_text(values: &[(u32, f64)]) -> String {
    let plain: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    mean(&plain).map_or("-".to_owned(), |mean| format!("{mean:.3}"))
}

/// Breaks a title at spaces into lines of at most ten letters where words allow.
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
