//! Scores with the defects of the public code and without them, paired by seed.

use std::collections::{BTreeMap, BTreeSet};

use xai_core::prelude::*;
use xai_core::statistics::mean;

use crate::paired::mean_interval;

/// The names of scenario, background and model.
type Cell = [String; 3];

/// Model-free maps. Each method should be better than the best of them.
const WITHOUT_MODEL: [&str; 4] = ["sobel", "laplace", "uniform_noise", "intensity"];

/// The values under both protocols, by seed.
type BySeed = BTreeMap<u64, [Option<f64>; 2]>;

/// The mean precision of each cell, method, protocol and seed, and the accuracies.
#[derive(Default)]
pub struct Protocols {
    /// By cell, method and seed: the published and the corrected value.
    precision: BTreeMap<(Cell, String), BySeed>,
    /// By cell: the published and the corrected accuracy of each run.
    accuracy: BTreeMap<Cell, [Vec<f64>; 2]>,
}

impl Protocols {
    /// Collects runs. Each has the names of its cell, whether it is corrected, its seed and its
    /// result.
    pub fn of<'a>(runs: impl IntoIterator<Item = (Cell, bool, u64, &'a Tested)>) -> Self {
        let mut all = Self::default();
        for (cell, corrected, seed, tested) in runs {
            let side = usize::from(corrected);
            all.accuracy.entry(cell.clone()).or_default()[side].push(tested.accuracy);
            let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for score in tested
                .scores
                .iter()
                .filter(|score| score.metric == "precision_without_zeros")
            {
                let method = score
                    .method
                    .strip_suffix("_captum")
                    .unwrap_or(&score.method);
                values.entry(method).or_default().push(score.value);
            }
            for (method, values) in values {
                let of_method = all
                    .precision
                    .entry((cell.clone(), method.to_owned()))
                    .or_default();
                of_method.entry(seed).or_default()[side] = mean(&values);
            }
        }
        all
    }

    /// The means of a method in a cell by seed, with one protocol.
    fn seeds(&self, cell: &Cell, method: &str, side: usize) -> BTreeMap<u64, f64> {
        let found = self.precision.get(&(cell.clone(), method.to_owned()));
        let seeds = found.into_iter().flatten();
        seeds
            .filter_map(|(&seed, sides)| Some((seed, sides[side]?)))
            .collect()
    }

    /// For each seed, how far a method's mean is above that of the best model-free map.
    fn above_filters(&self, cell: &Cell, method: &str, side: usize) -> Vec<f64> {
        let best = WITHOUT_MODEL
            .into_iter()
            .map(|filter| self.seeds(cell, filter, side));
        let best = best
            .max_by(|a, b| middle(a).total_cmp(&middle(b)))
            .unwrap_or_default();
        let of_method = self.seeds(cell, method, side);
        of_method
            .iter()
            .filter_map(|(seed, value)| Some(value - best.get(seed)?))
            .collect()
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.accuracy.keys()
    }

    fn methods(&self) -> BTreeSet<&str> {
        let methods = self.precision.keys().map(|(_, method)| method.as_str());
        methods
            .filter(|method| !WITHOUT_MODEL.contains(method))
            .collect()
    }
}

fn middle(seeds: &BTreeMap<u64, f64>) -> f64 {
    mean(&seeds.values().copied().collect::<Vec<_>>()).unwrap_or(f64::NEG_INFINITY)
}

/// Tables of every cell and method with the defects and without, and of the conclusions.
pub fn conclusions(protocols: &Protocols, analysis: &mut Analysis) {
    analysis.table(accuracies(protocols));
    analysis.table(beaten(protocols));
    analysis.table(differences(protocols));
    analysis.forest(chart(protocols));
}

fn accuracies(protocols: &Protocols) -> Table {
    let mut table = Table::new(
        "accuracy",
        "Test accuracy with the defects and without",
        ["scenario", "background", "model", "published", "corrected"],
    );
    for (cell, [published, corrected]) in &protocols.accuracy {
        let mut row: Vec<TableValue> = cell.iter().map(|name| name.as_str().into()).collect();
        row.extend([mean(published).into(), mean(corrected).into()]);
        table.row(row);
    }
    table
}

/// The number of data sets and models in which a method is better than every model-free map.
fn beaten(protocols: &Protocols) -> Table {
    let mut table = Table::new(
        "conclusions",
        "Does a method beat the edge filters, noise and the image itself?",
        [
            "method",
            "cells",
            "published: beats",
            "published: beaten",
            "corrected: beats",
            "corrected: beaten",
        ],
    );
    for method in protocols.methods() {
        let mut counts = [0; 5];
        for cell in protocols.cells() {
            let sides =
                [0, 1].map(|side| mean_interval(&protocols.above_filters(cell, method, side)));
            counts[0] += usize::from(sides.iter().any(Option::is_some));
            for (side, found) in sides.into_iter().enumerate() {
                let Some(interval) = found else { continue };
                counts[1 + 2 * side] += usize::from(interval.low > 0.0);
                counts[2 + 2 * side] += usize::from(interval.high < 0.0);
            }
        }
        let mut row: Vec<TableValue> = vec![method.into()];
        row.extend(counts.map(TableValue::from));
        table.row(row);
    }
    table.caption(
        "A method beats them in a cell (scenario, background, model) if the 95 % interval over seeds of its precision less that \
         of the best of them is above 0, and is beaten if it is below.",
    )
}

fn differences(protocols: &Protocols) -> Table {
    let mut table = Table::new(
        "corrected",
        "Precision with the defects and without",
        [
            "scenario",
            "background",
            "model",
            "method",
            "published",
            "corrected",
            "difference",
            "low",
            "high",
        ],
    );
    for ((cell, method), seeds) in &protocols.precision {
        let twins: Vec<[f64; 2]> = seeds
            .values()
            .filter_map(|sides| Some([sides[0]?, sides[1]?]))
            .collect();
        let [published, corrected] =
            [0, 1].map(|side| mean(&twins.iter().map(|twin| twin[side]).collect::<Vec<_>>()));
        let found = mean_interval(
            &twins
                .iter()
                .map(|[published, corrected]| corrected - published)
                .collect::<Vec<_>>(),
        );
        let mut row: Vec<TableValue> = cell.iter().map(|name| name.as_str().into()).collect();
        row.extend([method.as_str().into(), published.into(), corrected.into()]);
        row.push(
            published
                .zip(corrected)
                .map(|(published, corrected)| corrected - published)
                .into(),
        );
        row.extend(TableValue::ends(found));
        table.row(row);
    }
    table.caption("Means over images and seeds. The 95 % interval (by a bootstrap of seeds) is that of the difference between the two networks of one seed.")
}

/// The effect of the correction on each method, with one panel per scenario and one series per
/// model: the mean over backgrounds.
fn chart(protocols: &Protocols) -> Forest {
    let methods: Vec<&str> = protocols.methods().into_iter().collect();
    let mut forest = Forest::new(
        "corrected_precision",
        "What correcting the defects does to precision",
        "precision, corrected less published",
        methods.iter().copied(),
    );
    let scenarios: BTreeSet<&str> = protocols.cells().map(|cell| cell[0].as_str()).collect();
    for scenario in scenarios {
        let mut estimates = Vec::new();
        for model in ["linear", "mlp", "cnn"] {
            for (row, method) in methods.iter().enumerate() {
                let cells = protocols
                    .cells()
                    .filter(|cell| cell[0] == scenario && cell[2] == model);
                let mut of_seed: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
                for cell in cells {
                    let sides = [0, 1].map(|side| protocols.seeds(cell, method, side));
                    for (seed, published) in &sides[0] {
                        if let Some(corrected) = sides[1].get(seed) {
                            of_seed
                                .entry(*seed)
                                .or_default()
                                .push(corrected - published);
                        }
                    }
                }
                let means: Vec<f64> = of_seed.values().filter_map(|values| mean(values)).collect();
                if let Some(value) = mean(&means) {
                    let interval = mean_interval(&means);
                    estimates.push(Estimate {
                        row,
                        series: model.to_owned(),
                        value,
                        interval,
                    });
                }
            }
        }
        forest.panel(scenario, estimates);
    }
    forest
}
