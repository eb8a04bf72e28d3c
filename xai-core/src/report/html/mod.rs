//! `report.html`: a finished run on one page that needs no other file and no network.
//!
//! [`gallery`] packs the heat maps, [`plan`] reads what was run, [`warnings`] says what a reader should not overlook.
//! The page itself is `templates/report.html` with its style and its script.

mod gallery;
mod plan;
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use askama::Template;

use super::names::method_title;
use super::summary::Summary;
use super::{analysis, aside, page, table};
use crate::error::{Error, Result};
use crate::sweep::declare::analysis::{Analysis, Part};
use crate::sweep::read::SweepResult;
use gallery::Gallery;
use plan::Plan;

/// What the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    plan: &'a Plan,
    /// The experiment's doc comment: its first paragraph, and the others.
    question: String,
    more: Vec<String>,
    /// What stands over the results.
    facts: Vec<String>,
    warnings: Vec<String>,
    results: Option<Results>,
    parts: Vec<Extra>,
    /// The heat maps as JSON; empty if there are none.
    gallery: String,
    images: usize,
}

/// The table of mean precision, and the figure.
struct Results {
    svg: String,
    chance: Option<String>,
    /// The axes' names and "accuracy".
    columns: Vec<String>,
    methods: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    /// Levels, or a baseline's name.
    levels: Vec<String>,
    baseline: bool,
    accuracy: String,
    cells: Vec<Option<Mean>>,
}

/// A mean with its interval, and the best of its row.
struct Mean {
    mean: String,
    interval: String,
    best: bool,
}

/// A table or chart of the experiment's own.
struct Extra {
    title: String,
    caption: String,
    svg: Option<String>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Writes `report.html` to the folder of a run, which holds its `plan.json`; gives the path.
///
/// # Errors
/// As [`write_all`](super::write_all); a plan or heat maps that cannot be read.
pub fn write_page(result: &SweepResult, analysis: &Analysis, dir: &Path) -> Result<PathBuf> {
    let plan = Plan::read(dir)?;
    let summary = match super::only_analysed(result, analysis) {
        true => None,
        false => Some(Summary::of(result)?),
    };
    let gallery = Gallery::of(result)?;
    let mut paragraphs = plan.description.split("\n\n").map(one_line);
    let page = Page {
        question: paragraphs.next().unwrap_or_default(),
        more: paragraphs.collect(),
        facts: facts(&plan, result, summary.as_ref()),
        warnings: warnings::of(&plan, result, summary.as_ref(), &gallery),
        results: summary.as_ref().map(results).transpose()?,
        parts: analysis.parts.iter().map(extra).collect::<Result<_>>()?,
        images: gallery.images(),
        gallery: gallery.json()?,
        plan: &plan,
    };
    let text = page.render().map_err(Error::invalid)?;
    aside(dir, "report.html", |path| {
        fs::write(path, text).map_err(|error| Error::file(path, error))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The run in a few words.
fn facts(plan: &Plan, result: &SweepResult, summary: Option<&Summary>) -> Vec<String> {
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut facts = vec![
        format!("scale {}", plan.scale),
        count(plan.cells, "training"),
    ];
    if plan.cells > result.cells.len() {
        facts.push(format!("{} chosen by validation", result.cells.len()));
    }
    if let Some(summary) = summary {
        facts.push(count(summary.methods.len(), "method"));
        facts.push(count(images_of(result), "scored image"));
    }
    facts
}

/// How many images have a score.
fn images_of(result: &SweepResult) -> usize {
    let scores = result.cells.iter().flat_map(|cell| &cell.scores);
    let images: std::collections::BTreeSet<u32> = scores.map(|score| score.image).collect();
    images.len()
}

fn results(summary: &Summary) -> Result<Results> {
    let names = summary.axes.iter().map(|(name, _)| name.replace('_', " "));
    let mut rows: Vec<Row> = Vec::new();
    for group in &summary.groups {
        let levels = summary.axes.iter().zip(&group.levels);
        rows.push(Row {
            levels: levels.map(|((_, names), &at)| names[at].clone()).collect(),
            baseline: false,
            accuracy: format!("{:.3}", group.test_accuracy()),
            cells: means(summary.methods.iter().map(|method| group.precision(method))),
        });
    }
    for baseline in &summary.baselines {
        let values = summary.methods.iter();
        rows.push(Row {
            levels: vec![baseline.name.to_owned()],
            baseline: true,
            accuracy: String::new(),
            cells: means(values.map(|method| baseline.beside(method, &summary.methods))),
        });
    }
    Ok(Results {
        svg: figure(&super::BoxPlots::of(&super::Figure::of(summary)))?,
        chance: summary.chance.map(|chance| format!("{chance:.3}")),
        columns: names.collect(),
        methods: summary
            .methods
            .iter()
            .map(|name| method_title(name))
            .collect(),
        rows,
    })
}

/// A row of means; the best stands out unless all are the same, as those of a filter are.
fn means(values: impl Iterator<Item = Vec<(u32, f64)>>) -> Vec<Option<Mean>> {
    let mut cells: Vec<Option<Mean>> = values
        .map(|values| {
            let (mean, interval) = table::mean_and_interval(&values)?;
            Some(Mean {
                mean: format!("{mean:.3}"),
                interval: format!("{:.3}–{:.3}", interval.low, interval.high),
                best: false,
            })
        })
        .collect();
    let texts = || cells.iter().flatten().map(|cell| cell.mean.clone());
    if let (Some(most), Some(least)) = (texts().max(), texts().min())
        && most != least
    {
        for cell in cells.iter_mut().flatten() {
            cell.best = cell.mean == most;
        }
    }
    cells
}

fn extra(part: &Part) -> Result<Extra> {
    let heading = analysis::heading(part);
    let (header, rows) = match part {
        Part::Table(table) => analysis::shown(table),
        _ => Default::default(),
    };
    let svg = analysis::chart(part)?;
    Ok(Extra {
        title: heading.title.clone(),
        caption: heading.caption.clone(),
        svg: svg.map(in_page),
        header,
        rows,
    })
}

/// A figure as part of the page.
fn figure(figure: &impl page::Page) -> Result<String> {
    Ok(in_page(page::svg_text(figure)?))
}

/// An SVG that is as wide as its place. Its own style for dark pages is the page's as well.
fn in_page(svg: String) -> String {
    let start = svg.find("<svg").unwrap_or(0);
    svg[start..].to_owned()
}
