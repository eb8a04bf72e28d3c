//! Scores with the defects of the public code and without them, paired by seed.

use std::collections::{BTreeMap, BTreeSet};

use xai_core::attribution::methods::method_title;
use xai_core::prelude::*;
use xai_core::statistics::{Interval, bootstrap_crossed, mean};
use xai_core::tetromino::{Architecture, Scenario};

/// The names of scenario, background and model.
type Cell = [String; 3];

/// Model-free maps. Each method should be better than the best of them.
const WITHOUT_MODEL: [&str; 4] = ["sobel", "laplace", "uniform_noise", "intensity"];

/// The metrics that are compared, those of the public code.
const METRICS: [&str; 2] = [PRECISION, "emd"];
const PRECISION: &str = "precision_without_zeros";

/// An image of a background (the first or the second).
type Image = (usize, u32);

/// The scores of a network, each with its image.
type OfNetwork = Vec<(Image, f64)>;

/// The scores under one protocol, by seed.
type Seeds<'a> = BTreeMap<u64, &'a OfNetwork>;

/// The scores of a map under one protocol, by seed and image.
type Filter = BTreeMap<u64, BTreeMap<Image, f64>>;

/// The scores under both protocols, by seed.
type BySeed = BTreeMap<u64, [OfNetwork; 2]>;

/// The scores of each cell, method, protocol and seed, and the accuracies.
#[derive(Default)]
pub struct Protocols {
    /// By metric, cell, method and seed: with the published protocol and with the corrected one.
    scores: BTreeMap<(&'static str, Cell, String), BySeed>,
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
            let background = usize::from(cell[1] != "white");
            for score in &tested.scores {
                let known = METRICS.into_iter().find(|metric| *metric == score.metric);
                let Some(metric) = known else { continue };
                let method = score
                    .method
                    .strip_suffix("_captum")
                    .unwrap_or(&score.method);
                let key = (metric, cell.clone(), method.to_owned());
                let of_method = all.scores.entry(key).or_default();
                of_method.entry(seed).or_default()[side]
                    .push(((background, score.image), score.value));
            }
        }
        all
    }

    /// The scores of a method in a cell under both protocols: of the networks of the same seeds, in their order.
    fn twins(&self, metric: &'static str, cell: &Cell, method: &str) -> [Vec<OfNetwork>; 2] {
        let found = self.scores.get(&(metric, cell.clone(), method.to_owned()));
        let both = found
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|sides| sides.iter().all(|side| !side.is_empty()));
        let both: Vec<&[OfNetwork; 2]> = both.collect();
        [0, 1].map(|side| both.iter().map(|sides| sides[side].clone()).collect())
    }

    /// The scores of a method in a cell under one protocol, by seed.
    fn seeds(&self, metric: &'static str, cell: &Cell, method: &str, side: usize) -> Seeds<'_> {
        let found = self.scores.get(&(metric, cell.clone(), method.to_owned()));
        let seeds = found.into_iter().flatten();
        seeds.map(|(&seed, sides)| (seed, &sides[side])).collect()
    }

    /// The scores of the best model-free map in a cell under one protocol, by seed and image.
    fn best_filter(&self, metric: &'static str, cell: &Cell, side: usize) -> Filter {
        let filters = WITHOUT_MODEL.map(|method| self.seeds(metric, cell, method, side));
        let mean_of = |seeds: &Seeds| mean_of(seeds.values().copied()).unwrap_or(f64::NEG_INFINITY);
        let best = filters
            .into_iter()
            .max_by(|a, b| mean_of(a).total_cmp(&mean_of(b)));
        let by_image = |scores: &OfNetwork| scores.iter().copied().collect();
        let seeds = best.unwrap_or_default().into_iter();
        seeds
            .map(|(seed, scores)| (seed, by_image(scores)))
            .collect()
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.accuracy.keys()
    }

    fn methods(&self) -> BTreeSet<&str> {
        let methods = self.scores.keys().map(|(_, _, method)| method.as_str());
        methods
            .filter(|method| !WITHOUT_MODEL.contains(method))
            .collect()
    }
}

/// For each network and image, how far the score of a method is above that of a model-free map.
fn above(method: &Seeds, filter: &Filter) -> Vec<OfNetwork> {
    let pairs = method
        .iter()
        .filter_map(|(seed, scores)| Some((scores, filter.get(seed)?)));
    let above = pairs.map(|(scores, filter)| {
        let above = |&(image, score): &(Image, f64)| Some((image, score - filter.get(&image)?));
        scores.iter().filter_map(above).collect()
    });
    above.collect()
}

/// The mean over networks and images.
fn mean_of<'a>(networks: impl IntoIterator<Item = &'a OfNetwork>) -> Option<f64> {
    let scores: Vec<f64> = networks
        .into_iter()
        .flatten()
        .map(|&(_, score)| score)
        .collect();
    mean(&scores)
}

/// The 95 % interval of a mean, or of its difference from another, over networks and images.
fn interval(here: &[OfNetwork], there: &[OfNetwork]) -> Option<Interval> {
    bootstrap_crossed(here, there, 0.95, 0)
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
            "metric",
            "method",
            "cells",
            "published: beats",
            "published: beaten",
            "corrected: beats",
            "corrected: beaten",
        ],
    );
    for metric in METRICS {
        let filters = protocols.cells().map(|cell| {
            (
                cell,
                [0, 1].map(|side| protocols.best_filter(metric, cell, side)),
            )
        });
        let filters: Vec<(&Cell, [Filter; 2])> = filters.collect();
        for method in protocols.methods() {
            let mut counts = [0; 5];
            for (cell, filters) in &filters {
                let sides = [0, 1].map(|side| {
                    let seeds = protocols.seeds(metric, cell, method, side);
                    interval(&above(&seeds, &filters[side]), &[])
                });
                counts[0] += usize::from(sides.iter().any(Option::is_some));
                for (side, found) in sides.into_iter().enumerate() {
                    let Some(interval) = found else { continue };
                    counts[1 + 2 * side] += usize::from(interval.low > 0.0);
                    counts[2 + 2 * side] += usize::from(interval.high < 0.0);
                }
            }
            let mut row: Vec<TableValue> = vec![metric.into(), method.into()];
            row.extend(counts.map(TableValue::from));
            table.row(row);
        }
    }
    table.caption(
        "A method beats them in a cell (scenario, background, model) if the 95 % interval of its mean score less that of the best of \
         them is above 0, and is beaten if it is below. Intervals are by a bootstrap of networks and images.",
    )
}

fn differences(protocols: &Protocols) -> Table {
    let mut table = Table::new(
        "corrected",
        "Scores with the defects and without",
        [
            "metric",
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
    for (metric, cell, method) in protocols.scores.keys() {
        let [published, corrected] = protocols.twins(metric, cell, method);
        let [before, after] = [&published, &corrected].map(mean_of);
        let mut row: Vec<TableValue> = vec![(*metric).into()];
        row.extend(cell.iter().map(|name| TableValue::from(name.as_str())));
        row.extend([method.as_str().into(), before.into(), after.into()]);
        let difference = before.zip(after).map(|(before, after)| after - before);
        row.push(difference.into());
        row.extend(TableValue::ends(interval(&corrected, &published)));
        table.row(row);
    }
    table.caption(
        "Means over images and seeds. The 95 % interval is by a bootstrap of networks, in pairs with the same initial weights, and of \
         images, which differ between both protocols. It is not corrected for the number of comparisons.",
    )
}

/// The effect of the correction on the precision of each method, with one panel per scenario and one series per
/// model: the mean over the images of both backgrounds.
fn chart(protocols: &Protocols) -> Forest {
    let methods: Vec<&str> = protocols.methods().into_iter().collect();
    let mut forest = Forest::new(
        "corrected_precision",
        "What correcting the defects does to precision",
        "precision, corrected less published",
        methods.iter().map(|method| method_title(method)),
    );
    for scenario in Scenario::LEVELS {
        let mut estimates = Vec::new();
        for model in Architecture::LEVELS {
            let here = |cell: &&Cell| cell[0] == scenario.name() && cell[2] == model.name();
            for (row, method) in methods.iter().enumerate() {
                let mut sides: [Vec<OfNetwork>; 2] = [Vec::new(), Vec::new()];
                for cell in protocols.cells().filter(here) {
                    let found = protocols.twins(PRECISION, cell, method);
                    for (side, found) in sides.iter_mut().zip(found) {
                        side.resize_with(side.len().max(found.len()), Vec::new);
                        side.iter_mut()
                            .zip(found)
                            .for_each(|(all, more)| all.extend(more));
                    }
                }
                let [published, corrected] = &sides;
                if let (Some(before), Some(after)) = (mean_of(published), mean_of(corrected)) {
                    estimates.push(Estimate {
                        row,
                        series: model.title().to_owned(),
                        value: after - before,
                        interval: interval(corrected, published),
                    });
                }
            }
        }
        if !estimates.is_empty() {
            forest.panel(scenario.title(), estimates);
        }
    }
    forest
}
