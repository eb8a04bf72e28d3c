//! A sweep's result, grouped as in tables and figures.

use std::collections::{BTreeMap, BTreeSet};

use super::quality::Quality;
use crate::attribution::methods::method_title;
use crate::error::{Error, Result};
use crate::metrics::{CHANCE, Score, chance_name, is_chance, is_check, metric_and_group};
use crate::statistics::mean;
use crate::sweep::read::{Axis, CellResult, Image, SweepResult};

/// A sweep's result for one metric, by combination of levels.
pub(super) struct Summary<'a> {
    /// The experiment's name.
    pub name: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// The reported factors.
    pub axes: &'a [Axis],
    /// The names of the parameters that are not axes, such as `rate` and `seed`.
    pub others: Vec<&'a str>,
    /// The combinations of levels that have a cell. The last axis varies fastest.
    pub groups: Vec<Group<'a>>,
    /// The methods of the cells, in order of first appearance.
    pub methods: Vec<&'a str>,
    /// The references that have a score.
    pub baselines: Vec<Reference<'a>>,
    /// The mean chance level of the scored images, if the scores include it and it is the same for all groups and
    /// references.
    pub chance: Option<f64>,
    /// Whether it is known and not the same, as if an axis chooses the benchmark.
    pub chances_differ: bool,
    /// What says how well the networks do their task.
    pub quality: Quality,
    /// Its value without any knowledge.
    pub chance_of_quality: f64,
}

/// One combination of levels: cells that differ in their seed.
pub(super) struct Group<'a> {
    /// The index of the level on each axis.
    pub levels: Vec<usize>,
    cells: Vec<&'a CellResult>,
    metric: &'a str,
    quality: Quality,
    /// The mean chance level of its images, if the scores include it.
    pub chance: Option<f64>,
}

/// A reference and the methods with which it was scored. Several filters under one name are a row and a box each.
pub(super) struct Reference<'a> {
    pub name: &'a str,
    /// The name, with the filter if there are several.
    pub title: String,
    pub methods: Vec<&'a str>,
    scores: &'a [Score],
    metric: &'a str,
    /// The mean chance level of its images, if the scores include it.
    pub chance: Option<f64>,
}

/// The metrics of a result, in the order in which the cells' scores first name them. Chance levels
/// are left out, and so are [groups](crate::metrics::group_name) of images, which the experiment's
/// own analysis shows.
///
/// # Errors
/// If no cell has a score.
pub(super) fn metrics(result: &SweepResult) -> Result<Vec<&str>> {
    let scores = result.cells.iter().flat_map(|cell| &cell.scores);
    let scores = scores.filter(|score| is_shown(score));
    match distinct(scores.map(|score| score.metric.as_str())) {
        none if none.is_empty() => Err(Error::invalid(format!(
            "{}: no cell has a score, so there is nothing to report",
            result.name
        ))),
        metrics => Ok(metrics),
    }
}

impl<'a> Summary<'a> {
    /// A result for each of its metrics. The errors are those of [`write`](super::write).
    pub fn all(result: &'a SweepResult) -> Result<Vec<Self>> {
        let groups = groups(result)?;
        let quality = Quality::of(result)?;
        let all = all_scores(result);
        if let Some(bad) = all.iter().find(|score| !score.value.is_finite()) {
            return Err(Error::invalid(format!(
                "{}: the {} of `{}` on image {} is {}; such a score must be left out",
                result.name, bad.metric, bad.method, bad.image, bad.value
            )));
        }
        let metrics = metrics(result)?.into_iter();
        Ok(metrics
            .map(|metric| Self::of(result, metric, quality, &groups))
            .collect())
    }

    fn of(
        result: &'a SweepResult,
        metric: &'a str,
        quality: Quality,
        groups: &[(Vec<usize>, Vec<&'a CellResult>)],
    ) -> Self {
        let of_cells = result.cells.iter().flat_map(|cell| &cell.scores);
        let methods = distinct(by_metric(of_cells, metric).map(|score| score.method.as_str()));
        let groups: Vec<Group> = groups
            .iter()
            .map(|(levels, cells)| Group {
                levels: levels.clone(),
                cells: cells.clone(),
                metric,
                quality,
                chance: chance_level(scores_of(cells.iter().copied()), metric),
            })
            .collect();
        let parameters = result.cells.iter().flat_map(|cell| &cell.values);
        let references = result.references.iter().flat_map(|one| {
            let all = by_metric(&one.scores, metric).map(|score| score.method.as_str());
            let own = distinct(all);
            let filters = own.len() > 1 && own.iter().all(|method| !methods.contains(method));
            let rows: Vec<(String, Vec<&str>)> = if filters {
                let row = |method| (title_of(&one.name, method), vec![method]);
                own.into_iter().map(row).collect()
            } else {
                vec![(one.name.clone(), own)]
            };
            rows.into_iter().map(move |(title, methods)| Reference {
                name: &one.name,
                title,
                methods,
                scores: &one.scores,
                metric,
                chance: chance_level(of_one_set(&one.scores), metric),
            })
        });
        let references: Vec<Reference> = references.collect();
        let of_references = references.iter().map(|one| one.chance);
        let chances = groups.iter().map(|group| group.chance).chain(of_references);
        let chances: Vec<f64> = chances.flatten().collect();
        let chance = in_common(&chances);
        Self {
            name: &result.name,
            metric,
            axes: &result.axes,
            others: distinct(
                parameters
                    .map(|(name, _)| name.as_str())
                    .filter(|name| result.axes.iter().all(|axis| axis.name != *name)),
            ),
            groups,
            methods,
            baselines: (references.into_iter())
                .filter(|one| !one.methods.is_empty())
                .collect(),
            chance,
            chances_differ: chance.is_none() && !chances.is_empty(),
            quality,
            chance_of_quality: quality.chance(result),
        }
    }
}

impl Summary<'_> {
    /// What is known of the chance level, in words. `figure` is the name of the figure.
    pub fn about_chance(&self, figure: &str) -> Option<String> {
        match self.chance {
            Some(chance) => Some(format!("chance level {chance:.3}")),
            None if self.chances_differ => Some(format!("chance levels differ: see {figure}.csv")),
            None => None,
        }
    }
}

/// The number of images that have a score of the [metrics] shown. An image with an empty ground truth may have checks alone.
pub(super) fn scored_images(result: &SweepResult) -> usize {
    let scores = scores_of(&result.cells).filter(|(_, score)| is_shown(score));
    scores
        .map(|(image, _)| image)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Whether a score is neither a chance level nor a check nor of a [group](crate::metrics::group_name).
fn is_shown(score: &Score) -> bool {
    let beside = score.method == CHANCE || is_chance(&score.metric) || is_check(score);
    !beside && metric_and_group(&score.metric).1.is_none()
}

/// The title of a reference with one of its methods. A filter is not named twice.
pub(super) fn title_of(reference: &str, method: &str) -> String {
    match method_title(method) {
        title if title == reference => title,
        title => format!("{reference}: {title}"),
    }
}

/// The number of different images.
pub(super) fn images(values: &[(Image, f64)]) -> usize {
    let distinct: BTreeSet<&Image> = values.iter().map(|(image, _)| image).collect();
    distinct.len()
}

/// The mean chance level of the images in some scores, if these include it. Each image counts once.
fn chance_level<'a>(
    scores: impl Iterator<Item = (Image<'a>, &'a Score)>,
    metric: &str,
) -> Option<f64> {
    let chance = chance_name(metric);
    let of_images = scores.filter(|(_, score)| score.metric == chance);
    let of_images: BTreeMap<Image, f64> = of_images
        .map(|(image, score)| (image, score.value))
        .collect();
    mean(&of_images.into_values().collect::<Vec<_>>())
}

/// The level that all have, apart from rounding.
fn in_common(levels: &[f64]) -> Option<f64> {
    let first = *levels.first()?;
    let same = |level: &f64| (level - first).abs() <= 1e-9;
    levels.iter().all(same).then_some(first)
}

/// All scores, with those of the references last.
fn all_scores(result: &SweepResult) -> Vec<&Score> {
    let of_cells = result.cells.iter().flat_map(|cell| &cell.scores);
    let of_references = result.references.iter().flat_map(|one| &one.scores);
    of_cells.chain(of_references).collect()
}

/// The cells of each combination of levels, in the order of the levels.
fn groups(result: &SweepResult) -> Result<Vec<(Vec<usize>, Vec<&CellResult>)>> {
    let mut groups: BTreeMap<Vec<usize>, Vec<&CellResult>> = BTreeMap::new();
    for cell in &result.cells {
        let levels = levels_of(cell, &result.axes)?;
        groups.entry(levels).or_default().push(cell);
    }
    Ok(groups.into_iter().collect())
}

impl<'a> Group<'a> {
    /// The number of cells (seeds).
    pub fn seeds(&self) -> usize {
        self.cells.len()
    }

    /// The number of images with a score of these methods.
    pub fn images(&self, methods: &[&str]) -> usize {
        let scores = methods.iter().flat_map(|method| self.scores(method));
        images(&scores.collect::<Vec<_>>())
    }

    /// The values of a parameter that is not an axis, e.g. those of `seed`: "0 1 2".
    pub fn chosen(&self, parameter: &str) -> String {
        let values = self.cells.iter().flat_map(|cell| &cell.values);
        distinct(
            values
                .filter(|(name, _)| name == parameter)
                .map(|(_, value)| value.as_str()),
        )
        .join(" ")
    }

    /// The mean accuracy on the validation set, or R2 of a regression.
    pub fn validation_quality(&self) -> f64 {
        self.mean(|cell| self.quality.validation(cell))
    }

    /// The mean accuracy on the test set, or R2 of a regression.
    pub fn test_quality(&self) -> f64 {
        self.mean(|cell| self.quality.test(cell))
    }

    /// The mean absolute error of a regression on the test set.
    pub fn test_mae(&self) -> Option<f64> {
        let errors = self
            .cells
            .iter()
            .map(|cell| Some(cell.regression?.test.mae));
        mean(&errors.collect::<Option<Vec<_>>>()?)
    }

    /// The scores of a method, each with its image.
    pub fn scores(&self, method: &str) -> Vec<(Image<'a>, f64)> {
        of_method(scores_of(self.cells.iter().copied()), self.metric, method)
    }

    fn mean(&self, number: impl Fn(&CellResult) -> f64) -> f64 {
        self.cells.iter().map(|cell| number(cell)).sum::<f64>() / self.cells.len() as f64
    }
}

impl<'a> Reference<'a> {
    /// The scores of one of its own `methods`, each with its image.
    pub fn scores(&self, method: &str) -> Vec<(Image<'a>, f64)> {
        of_method(of_one_set(self.scores), self.metric, method)
    }

    /// The scores to show beside a method of the cells: those of the same method, or those of a filter, which is none of
    /// `methods`.
    pub fn beside(&self, method: &str, methods: &[&str]) -> Vec<(Image<'a>, f64)> {
        match self.methods[..] {
            [filter] if !methods.contains(&filter) => self.scores(filter),
            _ => self.scores(method),
        }
    }
}

fn levels_of(cell: &CellResult, axes: &[Axis]) -> Result<Vec<usize>> {
    let level = |Axis {
                     name: axis, levels, ..
                 }: &Axis| {
        let value = cell
            .values
            .iter()
            .find(|(name, _)| name == axis)
            .map(|(_, value)| value);
        let value = value
            .ok_or_else(|| Error::invalid(format!("a cell has no value of the axis `{axis}`")))?;
        levels
            .iter()
            .position(|level| level == value)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "`{value}` is not a level of the axis `{axis}`, which has {}",
                    levels.join(", ")
                ))
            })
    };
    axes.iter().map(level).collect()
}

fn by_metric<'a>(
    scores: impl IntoIterator<Item = &'a Score>,
    metric: &str,
) -> impl Iterator<Item = &'a Score> {
    let scores = scores.into_iter();
    scores.filter(move |score| score.metric == metric)
}

/// The scores of some cells, each with its image.
fn scores_of<'a>(
    cells: impl IntoIterator<Item = &'a CellResult>,
) -> impl Iterator<Item = (Image<'a>, &'a Score)> {
    cells.into_iter().flat_map(|cell| {
        let scores = cell.scores.iter();
        scores.map(|score| ((cell.test_set.as_ref(), score.image), score))
    })
}

/// The scores of a reference, each with its image. All are of one test set.
fn of_one_set(scores: &[Score]) -> impl Iterator<Item = (Image<'_>, &Score)> {
    scores.iter().map(|score| ((None, score.image), score))
}

fn of_method<'a>(
    scores: impl Iterator<Item = (Image<'a>, &'a Score)>,
    metric: &str,
    method: &str,
) -> Vec<(Image<'a>, f64)> {
    scores
        .filter(|(_, score)| score.metric == metric && score.method == method)
        .map(|(image, score)| (image, score.value))
        .collect()
}

/// Each value once, in the order of first appearance.
fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    values.filter(|value| seen.insert(*value)).collect()
}
