//! `report.html`: a finished run on one self-contained page.
//!
//! [`gallery`] packs the heat maps, [`plan`] reads what was run, and [`warnings`] lists what a
//! reader should not overlook. The page itself is `templates/report.html` with its style and its
//! script.

mod gallery;
mod mean_map;
mod pixels;
mod plan;
mod warnings;

use std::path::{Path, PathBuf};

use askama::Template;

use super::analysis;
use super::figure::{Figure, performance};
use super::main_figure::MainFigure;
use super::page::{self, text_file};
use super::summary::{Summary, scored_images};
use super::table;
use super::write::{figure_name, only_analysed};
use crate::attribution::methods::method_title;
use crate::error::{Error, Result};
use crate::metrics::{Better, better, described, metric_title};
use crate::statistics::Interval;
use crate::sweep::declare::analysis::{Analysis, AnalysisItem};
use crate::sweep::read::{Axis, Image, SweepResult};
use gallery::Gallery;
use plan::Plan;

/// The content of the template.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    plan: &'a Plan,
    /// The experiment's doc comment: its first paragraph, and the others.
    question: String,
    more: Vec<String>,
    /// The facts above the results.
    facts: Vec<String>,
    warnings: Vec<String>,
    /// One entry per metric.
    results: Vec<Results>,
    parts: Vec<Extra>,
    /// The heat maps as JSON. Empty if there are none.
    gallery: String,
    images: usize,
}

/// The figure of a metric, and the table of its means.
struct Results {
    /// The name of the metric in a sentence: "precision".
    metric: String,
    /// What the figure shows: "Explanation performance (precision): of the k pixels ..".
    what: String,
    /// How to read the figure.
    reading: String,
    /// The files of the figure.
    files: String,
    svg: String,
    /// What is known of the chance level.
    chance: Option<String>,
    /// The names of the axes.
    columns: Vec<String>,
    /// "test accuracy" or "test R2".
    quality: String,
    methods: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    /// Levels, or the name of a reference.
    levels: Vec<String>,
    baseline: bool,
    /// The accuracy of the networks, or R2.
    quality: String,
    cells: Vec<Option<Mean>>,
}

/// A mean with its interval, and whether it is the best of its row.
struct Mean {
    mean: String,
    interval: Option<String>,
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

/// The file of the page.
const PAGE: &str = "report.html";

/// What every page holds.
const MARK: &str = "<p class=\"kind\">Report of an experiment</p>";

/// Whether a folder holds a page that was written by [`write_page`].
pub fn has_page(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(PAGE)).is_ok_and(|text| text.contains(MARK))
}

/// Writes `report.html` into the folder `dir`. `run` is the folder of the run, which holds its `plan.json`; it may be the
/// same. Returns the path.
///
/// # Errors
/// As [`write_all`](super::write_all); if the plan or heat maps cannot be read.
pub fn write_page(
    result: &SweepResult,
    analysis: &Analysis,
    run: &Path,
    dir: &Path,
) -> Result<PathBuf> {
    let plan = Plan::read(run)?;
    let summaries = if only_analysed(result, analysis) {
        Vec::new()
    } else {
        Summary::all(result)?
    };
    let gallery = Gallery::of(result, plan.one_space)?;
    let mut paragraphs = plan.description.split("\n\n").map(one_line);
    let page = Page {
        question: paragraphs.next().unwrap_or_default(),
        more: paragraphs.collect(),
        facts: facts(&plan, result, &summaries),
        warnings: warnings::of(&plan, result, &summaries, &gallery),
        results: summaries
            .iter()
            .enumerate()
            .map(results)
            .collect::<Result<_>>()?,
        parts: (analysis
            .parts
            .iter()
            .filter(|part| !analysis::is_empty(part)))
        .map(extra)
        .collect::<Result<_>>()?,
        images: gallery.images(),
        gallery: gallery.json()?,
        plan: &plan,
    };
    let text = page.render().map_err(Error::invalid)?;
    text_file(dir, PAGE, &text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A short description of the run.
fn facts(plan: &Plan, result: &SweepResult, summaries: &[Summary]) -> Vec<String> {
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut facts = vec![
        format!("scale {}", plan.scale),
        count(plan.cells, "training"),
    ];
    if plan.cells > result.cells.len() {
        facts.push(format!("{} chosen by validation", result.cells.len()));
    }
    if let Some(summary) = summaries.first() {
        facts.push(count(summary.methods.len(), "method"));
        facts.push(count(scored_images(result), "scored image"));
    }
    facts
}

fn results((at, summary): (usize, &Summary)) -> Result<Results> {
    let known = described(summary.metric);
    let better = better(summary.metric);
    let names = summary.axes.iter().map(Axis::title);
    let mut rows: Vec<Row> = Vec::new();
    for group in &summary.groups {
        let levels = summary.axes.iter().zip(&group.levels);
        rows.push(Row {
            levels: levels.map(|(axis, &at)| axis.titles[at].clone()).collect(),
            baseline: false,
            quality: format!("{:.3}", group.test_quality()),
            cells: means(
                summary.methods.iter().map(|method| group.scores(method)),
                better,
            ),
        });
    }
    for baseline in &summary.baselines {
        let values = summary.methods.iter();
        rows.push(Row {
            levels: vec![baseline.title.clone()],
            baseline: true,
            quality: String::new(),
            cells: means(
                values.map(|method| baseline.beside(method, &summary.methods)),
                better,
            ),
        });
    }
    let what = performance(summary.metric);
    let name = figure_name(at, summary);
    let figure = Figure::of(summary);
    let drawn = MainFigure::of(summary, &figure);
    Ok(Results {
        metric: metric_title(summary.metric),
        what: known.map_or(format!("{what}."), |known| {
            format!("{what}: {}.", known.meaning)
        }),
        files: ["svg", "png", "csv"]
            .map(|ending| format!("{name}.{ending}"))
            .join(", "),
        reading: drawn.reading(summary),
        svg: in_page(page::svg_text(&drawn)?),
        chance: summary.about_chance(&name),
        columns: names.collect(),
        quality: format!("test {}", summary.quality.title()),
        methods: summary
            .methods
            .iter()
            .map(|name| method_title(name))
            .collect(),
        rows,
    })
}

/// A row of means. The best is marked unless all are equal, as for a filter.
fn means<'a>(
    values: impl Iterator<Item = Vec<(Image<'a>, f64)>>,
    better: Better,
) -> Vec<Option<Mean>> {
    let known = values.map(|values| table::mean_and_interval(&values));
    let known: Vec<_> = known.collect();
    // Means that are written the same count as equal.
    let written = |mean: f64| (1000.0 * mean).round();
    let all = || known.iter().flatten().map(|&(mean, _)| written(mean));
    let differ = all().any(|mean| Some(mean) != all().next());
    let best = all().map(|mean| better.rank(mean)).reduce(f64::max);
    let cell = |(mean, interval): (f64, Option<Interval>)| Mean {
        mean: format!("{mean:.3}"),
        interval: interval.map(|interval| format!("{:.3}–{:.3}", interval.low, interval.high)),
        best: differ && Some(better.rank(written(mean))) == best,
    };
    known.into_iter().map(|one| one.map(cell)).collect()
}

fn extra(part: &AnalysisItem) -> Result<Extra> {
    let heading = analysis::heading(part);
    let (header, rows) = match part {
        AnalysisItem::Table(table) => analysis::shown(table),
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

/// An SVG as wide as its container. The style for dark pages is that of the page.
fn in_page(svg: String) -> String {
    let start = svg.find("<svg").unwrap_or(0);
    svg[start..].to_owned()
}
