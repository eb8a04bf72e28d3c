//! A sweep's result, grouped as tables and figures show it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::metrics::{Metric, Precision, Score, chance_name};
use crate::statistics::mean;
use crate::sweep::read::{CellResult, SweepResult};

/// A sweep's result by combination of levels.
pub(super) struct Summary<'a> {
    /// The experiment's name.
    pub name: &'a str,
    /// The axes: name, and the levels' names in order.
    pub axes: &'a [(String, Vec<String>)],
    /// The names of the parameters that are no axis, such as `rate` and `seed`.
    pub others: Vec<&'a str>,
    /// The combinations of levels that have a cell, the last axis varying fastest.
    pub groups: Vec<Group<'a>>,
    /// The methods that cells were explained by, in the order in which they first appear.
    pub methods: Vec<&'a str>,
    /// The baselines that have a score.
    pub baselines: Vec<Reference<'a>>,
    /// The mean chance level of the images scored, if the cells' or the baselines' scores state it.
    pub chance: Option<f64>,
}

/// One combination of levels: cells that differ in their seed.
pub(super) struct Group<'a> {
    /// The number of the level on each axis.
    pub levels: Vec<usize>,
    cells: Vec<&'a CellResult>,
}

/// A baseline and the methods that it was scored with.
pub(super) struct Reference<'a> {
    pub name: &'a str,
    pub methods: Vec<&'a str>,
    scores: &'a [Score],
}

impl<'a> Summary<'a> {
    /// Groups a result; its errors are [`write`](super::write)'s.
    pub fn of(result: &'a SweepResult) -> Result<Self> {
        let mut groups: Vec<Group> = Vec::new();
        for cell in &result.cells {
            let levels = levels_of(cell, &result.axes)?;
            match groups.iter_mut().find(|group| group.levels == levels) {
                Some(group) => group.cells.push(cell),
                None => groups.push(Group {
                    levels,
                    cells: vec![cell],
                }),
            }
        }
        groups.sort_by(|a, b| a.levels.cmp(&b.levels));

        let of_cells = || result.cells.iter().flat_map(|cell| &cell.scores);
        let of_baselines = || result.references.iter().flat_map(|one| &one.scores);
        let all = || of_cells().chain(of_baselines());
        if let Some(bad) = all().find(|score| !score.value.is_finite()) {
            return Err(Error::invalid(format!(
                "{}: the {} of `{}` on image {} is {}; such a score must be left out",
                result.name, bad.metric, bad.method, bad.image, bad.value
            )));
        }
        let methods = distinct(precisions(of_cells()).map(|score| score.method.as_str()));
        if methods.is_empty() {
            return Err(Error::invalid(format!(
                "{}: no cell has a score of `{}`, so there is nothing to report",
                result.name,
                Precision.name()
            )));
        }
        let chance = chance_name(Precision.name());
        // Each image counts once, however many cells were scored on it.
        let chances: BTreeMap<u32, f64> = all()
            .filter(|s| s.metric == chance)
            .map(|s| (s.image, s.value))
            .collect();
        let chances: Vec<f64> = chances.into_values().collect();
        let parameters = result.cells.iter().flat_map(|cell| &cell.values);
        Ok(Self {
            name: &result.name,
            axes: &result.axes,
            others: distinct(
                parameters
                    .map(|(name, _)| name.as_str())
                    .filter(|name| result.axes.iter().all(|(axis, _)| axis != name)),
            ),
            groups,
            methods,
            baselines: result
                .references
                .iter()
                .map(|one| Reference {
                    name: &one.name,
                    methods: distinct(precisions(&one.scores).map(|score| score.method.as_str())),
                    scores: &one.scores,
                })
                .filter(|one| !one.methods.is_empty())
                .collect(),
            chance: mean(&chances),
        })
    }
}

impl<'a> Group<'a> {
    /// How many cells (seeds) there are.
    pub fn seeds(&self) -> usize {
        self.cells.len()
    }

    /// The values of a parameter that is no axis, e.g. those of `seed`: "0 1 2".
    pub fn chosen(&self, parameter: &str) -> String {
        let values = self.cells.iter().flat_map(|cell| &cell.values);
        distinct(
            values
                .filter(|(name, _)| name == parameter)
                .map(|(_, value)| value.as_str()),
        )
        .join(" ")
    }

    /// The mean accuracy on the validation set.
    pub fn validation_accuracy(&self) -> f64 {
        self.mean(|cell| cell.validation_accuracy)
    }

    /// The mean accuracy on the test set.
    pub fn test_accuracy(&self) -> f64 {
        self.mean(|cell| cell.test_accuracy)
    }

    /// A method's precisions, each with its image.
    pub fn precision(&self, method: &str) -> Vec<(u32, f64)> {
        of_method(self.cells.iter().flat_map(|cell| &cell.scores), method)
    }

    fn mean(&self, number: impl Fn(&CellResult) -> f64) -> f64 {
        self.cells.iter().map(|cell| number(cell)).sum::<f64>() / self.cells.len() as f64
    }
}

impl Reference<'_> {
    /// The precisions under one of its own `methods`, each with its image.
    pub fn precision(&self, method: &str) -> Vec<(u32, f64)> {
        of_method(self.scores, method)
    }

    /// What belongs beside a method of the cells: the scores under the same method, or, of a filter,
    /// whose scores name none of `methods`, all that it has.
    pub fn beside(&self, method: &str, methods: &[&str]) -> Vec<(u32, f64)> {
        if self.methods.iter().any(|own| methods.contains(own)) {
            return self.precision(method);
        }
        precisions(self.scores)
            .map(|score| (score.image, score.value))
            .collect()
    }
}

fn levels_of(cell: &CellResult, axes: &[(String, Vec<String>)]) -> Result<Vec<usize>> {
    let level = |(axis, levels): &(String, Vec<String>)| {
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
                    "`{value}` is no level of the axis `{axis}`, which has {}",
                    levels.join(", ")
                ))
            })
    };
    axes.iter().map(level).collect()
}

fn precisions<'a>(scores: impl IntoIterator<Item = &'a Score>) -> impl Iterator<Item = &'a Score> {
    scores
        .into_iter()
        .filter(|score| score.metric == Precision.name())
}

fn of_method<'a>(scores: impl IntoIterator<Item = &'a Score>, method: &str) -> Vec<(u32, f64)> {
    precisions(scores)
        .filter(|score| score.method == method)
        .map(|score| (score.image, score.value))
        .collect()
}

/// Each value once, in the order of first appearance.
fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    values.filter(|value| seen.insert(*value)).collect()
}
