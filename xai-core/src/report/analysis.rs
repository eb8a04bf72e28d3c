//! The files and the text of an experiment's own analysis.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::curves::{self, CurvesPage};
use super::forest::ForestPage;
use super::heat_maps::{self, HeatMapsPage};
use super::page::{picture, remove_file, svg_text, text_file};
use super::table::{decimals, push_row, quoted, wrapped};
use crate::error::{Error, Result};
use crate::sweep::declare::analysis::{
    Analysis, AnalysisItem, Curves, Forest, Heading, Table, TableValue,
};

/// The file that lists the parts of the analysis.
const LIST: &str = "analysis.json";

/// The terminal shows only tables with at most this many rows. Longer ones are only files.
const LONGEST: usize = 60;

/// Writes the parts and `analysis.json`, which lists them. Returns their paths.
///
/// A table is written as `<name>.csv`. A chart is written as `<name>.svg` and `<name>.png`, with a
/// `<name>.csv` of the values drawn. A chart or figure with nothing to draw has no file: a restricted run may lack what
/// it compares. Without parts, nothing is written, and a list of an earlier run is removed.
pub(super) fn write(analysis: &Analysis, dir: &Path) -> Result<Vec<PathBuf>> {
    let list = dir.join(LIST);
    if analysis.parts.is_empty() {
        remove_file(&list)?;
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    let mut entries = Vec::new();
    for part in &analysis.parts {
        let heading = heading(part);
        check_name(&heading.name, &analysis.parts)?;
        if is_empty(part) {
            continue;
        }
        let file = |ending: &str| format!("{}.{ending}", heading.name);
        paths.push(text_file(dir, &file("csv"), &csv(part)?)?);
        let drawn = match part {
            AnalysisItem::Table(_) => false,
            AnalysisItem::Curves(curves) => {
                paths.extend(picture(&CurvesPage::of(curves), dir, &heading.name)?);
                true
            }
            AnalysisItem::Forest(forest) => {
                paths.extend(picture(&ForestPage::of(forest)?, dir, &heading.name)?);
                true
            }
            AnalysisItem::HeatMaps(maps) => {
                paths.extend(picture(&HeatMapsPage::of(maps)?, dir, &heading.name)?);
                true
            }
        };
        let picture = |ending: &str| drawn.then(|| file(ending));
        entries.push(json!({
            "name": heading.name,
            "title": heading.title,
            "caption": heading.caption,
            "csv": file("csv"),
            "svg": picture("svg"),
            "png": picture("png"),
        }));
    }
    let text = serde_json::to_string_pretty(&Json::Array(entries)).map_err(Error::invalid)?;
    paths.push(text_file(dir, LIST, &(text + "\n"))?);
    Ok(paths)
}

/// The files that the list in a folder names: those of the analysis that was last written there.
pub(super) fn listed(dir: &Path) -> Vec<PathBuf> {
    let text = fs::read(dir.join(LIST)).unwrap_or_default();
    let list: Vec<Json> = serde_json::from_slice(&text).unwrap_or_default();
    let files = list.iter().flat_map(|entry| {
        let name = entry["name"].as_str().unwrap_or_default();
        // Somebody may have written the list by hand: it must not name files elsewhere, or the experiment's own.
        let own = misnamed(name).is_none();
        let endings = ["csv", "svg", "png"].into_iter();
        endings
            .map(move |ending| (entry[ending].as_str(), format!("{name}.{ending}")))
            .filter(move |(listed, file)| own && *listed == Some(file))
    });
    files.map(|(_, file)| dir.join(file)).collect()
}

/// The tables as aligned text, each below its title, and the titles of charts with nothing to draw.
pub(super) fn text(analysis: &Analysis) -> String {
    let mut out = String::new();
    for part in &analysis.parts {
        let Heading { name, title, .. } = heading(part);
        let line = match part {
            AnalysisItem::Table(table) => match table.rows.len() {
                ..=LONGEST => {
                    let _ = writeln!(out, "\n{title}\n");
                    push_table(&mut out, table);
                    continue;
                }
                rows => format!("{rows} rows, in {name}.csv"),
            },
            empty if is_empty(empty) => format!("nothing to draw, so {name}.svg is not written"),
            _ => continue,
        };
        let _ = writeln!(out, "\n{title}\n\n{line}");
    }
    out
}

pub(super) fn heading(part: &AnalysisItem) -> &Heading {
    match part {
        AnalysisItem::Table(table) => &table.heading,
        AnalysisItem::Curves(curves) => &curves.heading,
        AnalysisItem::Forest(forest) => &forest.heading,
        AnalysisItem::HeatMaps(maps) => &maps.heading,
    }
}

/// Whether a chart or figure has nothing to draw.
pub(super) fn is_empty(part: &AnalysisItem) -> bool {
    match part {
        AnalysisItem::Table(_) => false,
        AnalysisItem::Curves(curves) => curves::points(curves).next().is_none(),
        AnalysisItem::Forest(forest) => forest.panels.iter().all(|one| one.estimates.is_empty()),
        AnalysisItem::HeatMaps(maps) => heat_maps::is_empty(maps),
    }
}

/// A name must be valid for files, different from all other parts, and different from the
/// experiment's own table, figure and checks.
fn check_name(name: &str, parts: &[AnalysisItem]) -> Result<()> {
    let times = parts.iter().filter(|part| heading(part).name == name);
    let twice = times.count() > 1;
    let problem = misnamed(name).or(twice.then_some("is there twice"));
    let Some(problem) = problem else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "the name `{name}` of a table or chart {problem}; give it another one"
    )))
}

/// What is wrong with the name of a part.
fn misnamed(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        Some("is not in snake case")
    } else if ["table", "figure", "checks"].contains(&name) {
        Some("is taken by the experiment's own")
    } else {
        None
    }
}

/// The CSV of a part: a table's rows, or the values drawn in a chart.
pub(super) fn csv(part: &AnalysisItem) -> Result<String> {
    let rows = match part {
        AnalysisItem::Table(table) => {
            let width = table.columns.len();
            if let Some(row) = table.rows.iter().find(|row| row.len() != width) {
                return Err(Error::invalid(format!(
                    "a row of the table `{}` has {} entries for {width} columns",
                    table.heading.name,
                    row.len()
                )));
            }
            let numbers = table.rows.iter().map(|row| row.iter().map(exact).collect());
            std::iter::once(table.columns.clone())
                .chain(numbers)
                .collect()
        }
        AnalysisItem::Curves(curves) => points(curves),
        AnalysisItem::Forest(forest) => estimates(forest),
        AnalysisItem::HeatMaps(maps) => heat_maps::rows(maps)?,
    };
    Ok(rows.iter().fold(String::new(), |mut text, row| {
        let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
        text
    }))
}

/// One row per point. `curve` numbers the curves of a panel, because several may have the same
/// name.
fn points(curves: &Curves) -> Vec<Vec<String>> {
    let [x, y] = &curves.axes;
    let mut rows = vec![
        ["panel", "curve", "series", x, y]
            .map(str::to_owned)
            .to_vec(),
    ];
    for panel in &curves.panels {
        for (number, curve) in panel.curves.iter().enumerate() {
            for [x, y] in &curve.points {
                let number = number.to_string();
                rows.push(vec![
                    panel.title.clone(),
                    number,
                    curve.series.clone(),
                    decimals(*x),
                    decimals(*y),
                ]);
            }
        }
    }
    rows
}

fn estimates(forest: &Forest) -> Vec<Vec<String>> {
    let header = ["panel", "row", "series", forest.x.as_str(), "low", "high"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for panel in &forest.panels {
        for one in &panel.estimates {
            let [low, high] = TableValue::ends(one.interval);
            rows.push(vec![
                panel.title.clone(),
                forest.rows.get(one.row).cloned().unwrap_or_default(),
                one.series.clone(),
                decimals(one.value),
                exact(&low),
                exact(&high),
            ]);
        }
    }
    rows
}

/// An entry in the file. A number that is not finite is left out.
fn exact(entry: &TableValue) -> String {
    match entry {
        TableValue::Text(text) => text.clone(),
        TableValue::Count(count) => count.to_string(),
        TableValue::Number(number) if number.is_finite() => decimals(*number),
        TableValue::Number(_) | TableValue::Missing => String::new(),
    }
}

/// An entry in the terminal. Small numbers, such as p values, keep their magnitude.
fn short(entry: &TableValue) -> String {
    match entry {
        TableValue::Number(number) if number.is_finite() => {
            // Anything smaller is due to rounding and counts as zero.
            if (1e-12..0.0005).contains(&number.abs()) {
                format!("{number:.0e}")
            } else {
                format!("{number:.3}")
            }
        }
        TableValue::Number(_) | TableValue::Missing => "-".to_owned(),
        other => exact(other),
    }
}

/// The names of the columns and the rows of a table in readable form.
pub(super) fn shown(table: &Table) -> (Vec<String>, Vec<Vec<String>>) {
    let names = table.columns.iter().map(|name| name.replace('_', " "));
    let rows = table.rows.iter();
    let rows = rows.map(|row| row.iter().map(short).collect());
    (names.collect(), rows.collect())
}

/// A chart that is not [empty](is_empty) as SVG. `None` for a table.
pub(super) fn chart(part: &AnalysisItem) -> Result<Option<String>> {
    Ok(match part {
        AnalysisItem::Table(_) => None,
        AnalysisItem::Curves(curves) => Some(svg_text(&CurvesPage::of(curves))?),
        AnalysisItem::Forest(forest) => Some(svg_text(&ForestPage::of(forest)?)?),
        AnalysisItem::HeatMaps(maps) => Some(svg_text(&HeatMapsPage::of(maps)?)?),
    })
}

fn push_table(out: &mut String, table: &Table) {
    let (names, rows) = shown(table);
    let header: Vec<Vec<String>> = names.iter().map(|name| wrapped(name)).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let texts = cells.chain(&header[column]);
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        })
        .collect();
    // Text is aligned to the left in as many columns as begin with text in all rows.
    let words = |row: &Vec<TableValue>| {
        row.iter()
            .take_while(|entry| matches!(entry, TableValue::Text(_)))
            .count()
    };
    let left = table.rows.iter().map(words).min().unwrap_or(0);
    let height = header.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let titles = header.iter().map(|title| {
            let from = height - title.len();
            line.checked_sub(from).map_or("", |at| title[at].as_str())
        });
        push_row(out, titles, &widths, left);
    }
    for row in &rows {
        push_row(out, row.iter().map(String::as_str), &widths, left);
    }
}
