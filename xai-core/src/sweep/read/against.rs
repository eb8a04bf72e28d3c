//! A finished run compared: with another run of the same experiment, or with published values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use super::differences::differences;
use super::finished::FinishedRun;
use super::results::{Axis, Image};
use crate::attribution::methods::method_title;
use crate::error::{Error, Result};
use crate::metrics::{CHANCE, is_chance, is_check, metric_and_group};
use crate::statistics::{
    Interval, bootstrap_clusters, bootstrap_difference, bootstrap_mean, mean, quantile,
};
use crate::sweep::declare::analysis::{Analysis, Estimate, Forest, Table, TableValue};
use crate::sweep::declare::{Published, Scale, Statistic, TEST_ACCURACY, TEST_MAE};
use crate::sweep::keep::Predictions;

/// The level of all intervals.
const LEVEL: f64 = 0.95;

/// The values of one method and metric in one combination of levels: the image and its value, over all trainings.
type Values<'a> = Vec<(Image<'a>, f64)>;

/// Values by metric, combination of levels, and method. The metric is the outermost, as in tables.
type Grouped<'a> = BTreeMap<(String, Vec<String>, String), Values<'a>>;

/// One row of a comparison.
struct Row {
    metric: String,
    levels: Vec<String>,
    method: String,
    images: usize,
    here: f64,
    there: f64,
    interval: Option<Interval>,
    how: &'static str,
}

/// Compares the run in the folder `here`, which has these axes, with another run of the same experiment: for each metric,
/// combination of levels and method, the difference of the means. Adds tables and a chart to the analysis.
///
/// If both runs tested on the same images, the difference is that of each image explained in both, and its interval is a
/// bootstrap of images. Otherwise the interval is that of two independent sets of images.
///
/// # Errors
/// If either run cannot be read, if their axes differ, or if they have no combination of levels in common.
pub(crate) fn against_run(
    here: &Path,
    axes: &[Axis],
    there: &Path,
    analysis: &mut Analysis,
) -> Result<()> {
    let [one, other] = [FinishedRun::read(here)?, FinishedRun::read(there)?];
    if one.axes != other.axes {
        return Err(Error::invalid(format!(
            "--against {}: its axes are {}, those of this run are {}; compare runs of the same experiment",
            there.display(),
            other.axes.join(", "),
            one.axes.join(", ")
        )));
    }
    let sets = [&one, &other].map(test_sets);
    let [ours, theirs] = [&one, &other].map(grouped);
    let mut rows = Vec::new();
    for (key, values) in &ours {
        let Some(others) = theirs.get(key) else {
            continue;
        };
        let (metric, levels, method) = key.clone();
        let same_images = sets[0].get(&levels) == sets[1].get(&levels);
        let Some((how, (images, here, there, interval))) = compared(values, others, same_images)
        else {
            continue;
        };
        rows.push(Row {
            metric,
            levels,
            method,
            images,
            here,
            there,
            interval,
            how,
        });
    }
    if rows.is_empty() {
        return Err(Error::invalid(format!(
            "--against {}: the two runs have no combination of levels, method and metric in common",
            there.display()
        )));
    }
    let only = |a: &Grouped, b: &Grouped| a.keys().filter(|key| !b.contains_key(*key)).count();
    let caption = format!(
        "This run minus the run in {}, as means over images and trainings. Paired: the differences of the images that both \
         explain, with the 95 % interval of a bootstrap of images. Other images: the two runs have no image in common \
         there, and the interval is that of two independent sets. No interval shows how another training would have \
         turned out. Rows in this run only: {}; in the other run only: {}.",
        there.display(),
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
    add(axes, "there", rows, &caption, analysis);
    let mut table = Table::new(
        "against_settings",
        "What differs between the two runs",
        ["what", "here", "there"],
    );
    let text = |value: Option<Json>| value.map(|value| value.to_string());
    for (path, there, here) in differences(&other.facts, &one.facts) {
        table.row([path.into(), text(here).into(), text(there).into()]);
    }
    analysis.table(table.caption(
        "Settings, data, device and code. Hashes stand for files, programs and the items of the experiment's file.",
    ));
    Ok(())
}

/// A line about a run at another scale than those with the published sizes.
pub(crate) fn other_sizes(published: &Published, scale: Scale) -> Option<String> {
    let scales = &published.scales;
    let names: Vec<String> = scales.iter().map(ToString::to_string).collect();
    (!scales.contains(&scale)).then(|| {
        format!(
            "This run is at scale {scale}, and the published values are of the sizes at scale {}: differences do not say \
             whether they are reproduced.",
            names.join(" or ")
        )
    })
}

/// Compares the run in the folder `here`, which has these axes and is at this scale, with published values.
///
/// # Errors
/// If the run cannot be read, or if no published value has a counterpart in it.
pub(crate) fn against_published(
    here: &Path,
    axes: &[Axis],
    published: &Published,
    scale: Scale,
    analysis: &mut Analysis,
) -> Result<()> {
    let run = FinishedRun::read(here)?;
    let grouped = grouped(&run);
    let mut rows = Vec::new();
    for value in &published.values {
        let level = |axis: &String| {
            let mut levels = value.levels.iter();
            levels
                .find(|(name, _)| name == axis)
                .map(|(_, level)| level.clone())
        };
        let Some(levels) = run.axes.iter().map(level).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let key = (value.metric.clone(), levels, value.method.clone());
        let Some(values) = grouped.get(&key) else {
            continue;
        };
        let (here, interval) = estimate(values, value.statistic);
        let shifted = |interval: Interval| Interval {
            low: interval.low - value.value,
            high: interval.high - value.value,
        };
        let (metric, levels, method) = key;
        rows.push(Row {
            metric,
            levels,
            method,
            images: images(values),
            here,
            there: value.value,
            interval: interval.map(shifted),
            how: match value.statistic {
                Statistic::Mean => "mean",
                Statistic::Median => "median",
            },
        });
    }
    if rows.is_empty() {
        return Err(Error::invalid(
            "--against published: no published value belongs to a cell of this run; its levels or methods are others",
        ));
    }
    let other_sizes = other_sizes(published, scale).map_or_else(String::new, |line| line + " ");
    let caption = format!(
        "{other_sizes}This run minus the published value. {} of {} published values have a counterpart in this run. The 95 % interval is \
         a bootstrap of this run's images; a published value has none. Source: {}",
        rows.len(),
        published.values.len(),
        published.source
    );
    add(axes, "published", rows, &caption, analysis);
    Ok(())
}

/// The keys of the test sets of each combination of levels.
fn test_sets(run: &FinishedRun) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut sets: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for cell in &run.cells {
        let key = cell.test_set.as_ref().map(ToString::to_string);
        sets.entry(run.levels(cell)).or_default().extend(key);
    }
    sets
}

/// All values of a run, those of the models among them: 1 for an image that is classified correctly and 0 for another
/// one, or the absolute error of a regression.
fn grouped(run: &FinishedRun) -> Grouped<'_> {
    let mut grouped = Grouped::new();
    for cell in &run.cells {
        let levels = run.levels(cell);
        let image = |index: u32| (cell.test_set.as_ref(), index);
        let (metric, values) = of_model(&cell.predictions);
        let values = (0..).map(image).zip(values);
        let key = (metric.to_owned(), levels.clone(), String::new());
        grouped.entry(key).or_default().extend(values);
        for score in &cell.scores {
            let group = metric_and_group(&score.metric).1.is_some();
            if score.method == CHANCE || is_chance(&score.metric) || is_check(score) || group {
                continue;
            }
            let key = (score.metric.clone(), levels.clone(), score.method.clone());
            grouped
                .entry(key)
                .or_default()
                .push((image(score.image), score.value));
        }
    }
    grouped
}

/// How well a model does on each test image: whether it is right, or how far a regression is off.
fn of_model(predictions: &Predictions) -> (&'static str, Vec<f64>) {
    let Some(numbers) = &predictions.regression else {
        let correct = predictions.correct();
        let correct = correct.map(|correct| f64::from(u8::from(correct)));
        return (TEST_ACCURACY, correct.collect());
    };
    let pairs = numbers.predicted.iter().zip(&numbers.response);
    let errors = pairs.map(|(predicted, response)| (predicted - response).abs());
    (TEST_MAE, errors.collect())
}

/// The mean of each image over trainings.
fn by_image<'a>(values: &Values<'a>) -> BTreeMap<Image<'a>, f64> {
    let mut images: BTreeMap<Image, Vec<f64>> = BTreeMap::new();
    for &(image, value) in values {
        images.entry(image).or_default().push(value);
    }
    let mean = |(image, values): (Image<'a>, Vec<f64>)| (image, mean(&values).unwrap_or(f64::NAN));
    images.into_iter().map(mean).collect()
}

fn images(values: &Values) -> usize {
    values
        .iter()
        .map(|(image, _)| image)
        .collect::<BTreeSet<_>>()
        .len()
}

/// The number of images, both means, and the interval of their difference.
type Compared = (usize, f64, f64, Option<Interval>);

/// How the values of two runs are compared, and what comes out. Runs that were tested on the same images may explain
/// none of them in common, because each explains those that its own networks classify correctly.
fn compared(here: &Values, there: &Values, same_images: bool) -> Option<(&'static str, Compared)> {
    let in_common = same_images.then(|| paired(here, there)).flatten();
    let apart = || Some(("other images", independent(here, there)?));
    in_common.map(|row| ("paired", row)).or_else(apart)
}

/// On the images that both have.
fn paired(here: &Values, there: &Values) -> Option<Compared> {
    let (here, there) = (by_image(here), by_image(there));
    let common: Vec<_> = here
        .iter()
        .filter_map(|(image, &here)| Some((*image, here, *there.get(image)?)))
        .collect();
    let side = |of: fn(&(Image, f64, f64)) -> f64| mean(&common.iter().map(of).collect::<Vec<_>>());
    let differences: Values = common.iter().map(|&(image, a, b)| (image, a - b)).collect();
    let interval = bootstrap_mean(&differences, LEVEL, 0);
    Some((
        common.len(),
        side(|pair| pair.1)?,
        side(|pair| pair.2)?,
        interval,
    ))
}

/// On different images.
fn independent(here: &Values, there: &Values) -> Option<Compared> {
    let [here, there] =
        [here, there].map(|values| by_image(values).into_values().collect::<Vec<_>>());
    let interval = bootstrap_difference(&here, &there, LEVEL, 0);
    Some((
        here.len().min(there.len()),
        mean(&here)?,
        mean(&there)?,
        interval,
    ))
}

/// The mean or median over images and trainings, and its interval by a bootstrap of images.
fn estimate(values: &Values, statistic: Statistic) -> (f64, Option<Interval>) {
    let of = |mut values: Vec<f64>| match statistic {
        Statistic::Mean => mean(&values),
        Statistic::Median => {
            values.sort_by(f64::total_cmp);
            quantile(&values, 0.5)
        }
    };
    let mut images: BTreeMap<Image, Vec<f64>> = BTreeMap::new();
    for &(image, value) in values {
        images.entry(image).or_default().push(value);
    }
    let images: Vec<Vec<f64>> = images.into_values().collect();
    let interval = bootstrap_clusters(images.len(), LEVEL, 0, |drawn| {
        let drawn = drawn.iter().flat_map(|&at| &images[at]).copied().collect();
        Some(vec![of(drawn)?])
    });
    let all = values.iter().map(|&(_, value)| value).collect();
    (
        of(all).unwrap_or(f64::NAN),
        interval.map(|intervals| intervals[0]),
    )
}

/// Adds the table of all rows, and a chart of each metric. The table has the names of levels, and the charts their titles.
fn add(axes: &[Axis], there: &str, rows: Vec<Row>, caption: &str, analysis: &mut Analysis) {
    let columns = ["metric"]
        .into_iter()
        .chain(axes.iter().map(|axis| axis.name.as_str()));
    let columns = columns.chain(["method", "images", "here", there]);
    let columns = columns.chain(["difference", "ci95_low", "ci95_high", "comparison"]);
    let title = format!(
        "This run against {}",
        if there == "there" {
            "another run"
        } else {
            "published values"
        }
    );
    let mut table = Table::new("against", &title, columns);
    for row in &rows {
        let [low, high] = TableValue::ends(row.interval);
        let mut entries: Vec<TableValue> = vec![row.metric.as_str().into()];
        entries.extend(row.levels.iter().map(|level| level.as_str().into()));
        entries.extend([
            row.method.as_str().into(),
            row.images.into(),
            row.here.into(),
            row.there.into(),
            (row.here - row.there).into(),
            low,
            high,
            row.how.into(),
        ]);
        table.row(entries);
    }
    analysis.table(table.caption(caption));
    let metrics: BTreeSet<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    for metric in metrics {
        let of_metric: Vec<&Row> = rows.iter().filter(|row| row.metric == metric).collect();
        let mut levels: Vec<&[String]> = of_metric.iter().map(|row| &row.levels[..]).collect();
        levels.sort_by_key(|levels| (places(axes, levels), *levels));
        levels.dedup();
        let name = format!("against_{metric}");
        let mut forest = Forest::new(
            &name,
            &format!("{title}: {metric}"),
            "difference",
            levels.iter().map(|levels| title_of(axes, levels)),
        );
        let methods: BTreeSet<&str> = of_metric.iter().map(|row| row.method.as_str()).collect();
        for method in methods {
            let of_method = of_metric.iter().filter(|row| row.method == method);
            let estimate = |row: &&Row| Estimate {
                row: (levels.iter().position(|levels| *levels == row.levels))
                    .expect("all are there"),
                series: "difference".to_owned(),
                value: row.here - row.there,
                interval: row.interval,
            };
            let panel = match method {
                "" => metric.replace('_', " "),
                method => method_title(method),
            };
            forest.panel(panel, of_method.map(estimate).collect());
        }
        analysis.forest(forest);
    }
}

/// The place of a level on its axis.
fn place(axis: &Axis, level: &str) -> Option<usize> {
    axis.levels.iter().position(|own| own == level)
}

fn places(axes: &[Axis], levels: &[String]) -> Vec<Option<usize>> {
    let levels = axes.iter().zip(levels);
    levels.map(|(axis, level)| place(axis, level)).collect()
}

/// `White noise, 1 layer`; an experiment without axes has one row for everything.
fn title_of(axes: &[Axis], levels: &[String]) -> String {
    if axes.is_empty() {
        return "all cells".to_owned();
    }
    let levels = axes.iter().zip(levels);
    let titles = levels.map(|(axis, level)| match place(axis, level) {
        Some(place) => axis.titles[place].as_str(),
        None => level,
    });
    titles.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::metrics::Score;
    use crate::sweep::declare::analysis::AnalysisItem;
    use crate::sweep::read::finished::FinishedCell;

    /// A run with one group of two cells, which were tested on different images under the same numbers.
    fn run(shift: f64) -> FinishedRun {
        let cell = |set: u8| FinishedCell {
            values: BTreeMap::new(),
            test_set: Some(Key::of(&set).unwrap()),
            predictions: Predictions::new(vec![0], None, &[vec![0.75, 0.25]]).unwrap(),
            scores: (0..3)
                .map(|image| Score {
                    image,
                    class: 0,
                    method: "saliency".into(),
                    metric: "precision".into(),
                    value: f64::from(image) + 10.0 * f64::from(set) * (1.0 + shift) + shift,
                })
                .collect(),
        };
        FinishedRun {
            axes: Vec::new(),
            cells: vec![cell(0), cell(1)],
            facts: Json::Null,
        }
    }

    #[test]
    fn charts_have_titles_in_the_order_of_the_axes() {
        let axis = |name: &str, levels: [&str; 2], titles: [&str; 2]| Axis {
            name: name.to_owned(),
            levels: levels.map(str::to_owned).to_vec(),
            titles: titles.map(str::to_owned).to_vec(),
        };
        let axes = [
            axis("noise", ["white", "pink"], ["White noise", "Pink noise"]),
            axis("layers", ["two", "one"], ["2 layers", "1 layer"]),
        ];
        let row = |noise: &str, layers: &str, value: f64| Row {
            metric: "precision".into(),
            levels: vec![noise.into(), layers.into()],
            method: "saliency".into(),
            images: 1,
            here: value,
            there: 0.0,
            interval: None,
            how: "paired",
        };
        let rows = vec![
            row("pink", "one", 1.0),
            row("pink", "two", 2.0),
            row("white", "one", 3.0),
        ];
        let mut analysis = Analysis::default();
        add(&axes, "there", rows, "", &mut analysis);
        let Some(AnalysisItem::Forest(forest)) = analysis.parts.last() else {
            panic!("{:?}", analysis.parts);
        };
        let titles = [
            "White noise, 1 layer",
            "Pink noise, 2 layers",
            "Pink noise, 1 layer",
        ];
        assert_eq!(forest.rows, titles);
        let found = forest.panels[0].estimates.iter();
        let found: Vec<_> = found.map(|found| (found.row, found.value)).collect();
        assert_eq!(found, [(2, 1.0), (1, 2.0), (0, 3.0)]);
    }

    #[test]
    fn images_of_different_test_sets_are_different_images() {
        let (here, there) = (run(1.0), run(0.0));
        let key = ("precision".to_owned(), Vec::new(), "saliency".to_owned());
        let [here, there] = [&here, &there].map(|run| grouped(run).remove(&key).unwrap());
        let (images, _, _, interval) = paired(&here, &there).unwrap();
        // Differences of 1 for three images and of 11 for the other three.
        let interval = interval.unwrap();
        assert_eq!(images, 6);
        assert!(interval.low < 6.0 && interval.high > 6.0, "{interval:?}");
        // Both spread over more than 10, so the interval of independent sets is wider.
        let (smaller, _, _, apart) = independent(&here, &there).unwrap();
        let apart = apart.unwrap();
        assert_eq!((smaller, super::images(&here)), (6, 6));
        assert!(
            apart.low < interval.low && apart.high > interval.high,
            "{apart:?}"
        );
        // One image in common shows nothing of the others.
        let one = vec![here[0]];
        let (images, _, _, interval) = paired(&one, &there).unwrap();
        assert_eq!((images, interval), (1, None));
        // Runs with no image in common are not left out.
        let (how, (images, _, _, _)) = compared(&here[1..2].to_vec(), &one, true).unwrap();
        assert_eq!((how, images), ("other images", 1));
    }
}
