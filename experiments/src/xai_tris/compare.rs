//! Our scores and the published scores, cell by cell.

use std::collections::BTreeMap;

use xai_core::prelude::*;
use xai_core::statistics::{coefficient, mean, quantile, ranks};
use xai_core::tetromino::{Architecture, Background, Scenario};

use super::{PUBLISHED, PublishedCell};

/// The names of scenario, background and model, as in the published table.
pub fn names(scenario: Scenario, background: Background, model: Architecture) -> [String; 3] {
    [scenario.name(), background.name(), model.name()].map(str::to_owned)
}

/// The scores of one cell, over images and runs.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The mean.
    pub precision: f64,
    /// The median, on the public code's scale.
    pub emd: f64,
}

/// The mean precision and median distance of each (scenario, background, model) and method.
///
/// `rows` are the scores of all runs, with the names of their cell. Both forms of DeepLIFT have the
/// same name.
pub fn medians<'a>(
    rows: impl IntoIterator<Item = ([String; 3], &'a Scores)>,
) -> BTreeMap<([String; 3], String), Measured> {
    let mut values: BTreeMap<([String; 3], String), [Vec<f64>; 2]> = BTreeMap::new();
    for (cell, scores) in rows {
        for score in scores {
            let which = match score.metric.as_str() {
                "precision_without_zeros" => 0,
                "emd" => 1,
                _ => continue,
            };
            let method = score
                .method
                .strip_suffix("_captum")
                .unwrap_or(&score.method);
            let of_method = values.entry((cell.clone(), method.to_owned())).or_default();
            of_method[which].push(score.value);
        }
    }
    let measured = values.into_iter().map(|(key, [precision, mut emd])| {
        emd.sort_by(f64::total_cmp);
        let (mean, median) = (mean(&precision), quantile(&emd, 0.5));
        let [precision, emd] = [mean, median].map(|value| value.unwrap_or(f64::NAN));
        (key, Measured { precision, emd })
    });
    measured.collect()
}

/// How far our mean precision may be from the published one. Models differ by their seeds, and
/// models with more layers differ more. For CNNs, only the order of methods is compared.
fn tolerance(model: &str) -> Option<f64> {
    match model {
        "linear" => Some(0.03),
        "mlp" => Some(0.08),
        _ => None,
    }
}

/// A table of every published cell, a table of agreement with one row per model, and a chart of our
/// scores against theirs.
pub fn compare(measured: &BTreeMap<([String; 3], String), Measured>, analysis: &mut Analysis) {
    let mut table = Table::new(
        "published",
        "Our scores beside the published ones, cell by cell",
        [
            "scenario",
            "background",
            "model",
            "method",
            "precision",
            "published precision",
            "difference",
            "emd",
            "published emd",
            "difference of emd",
            "within tolerance",
        ],
    );
    let mut cells: BTreeMap<&[String; 3], Vec<(&PublishedCell, Measured)>> = BTreeMap::new();
    for published in PUBLISHED.iter() {
        let key = (published.cell.clone(), published.method.clone());
        let Some(&ours) = measured.get(&key) else {
            continue;
        };
        cells
            .entry(&published.cell)
            .or_default()
            .push((published, ours));
        let [scenario, background, model] = &published.cell;
        let difference = ours.precision - published.precision;
        let of_emd = ours.emd - published.emd;
        let within = match tolerance(model) {
            Some(most) if difference.abs() <= most && of_emd.abs() <= most => "yes",
            Some(_) => "no",
            None => "by order",
        };
        table.row([
            scenario.as_str().into(),
            background.as_str().into(),
            model.as_str().into(),
            published.method.as_str().into(),
            ours.precision.into(),
            published.precision.into(),
            difference.into(),
            ours.emd.into(),
            published.emd.into(),
            of_emd.into(),
            within.into(),
        ]);
    }
    analysis.table(table.caption(
        "Precision is the mean, emd the median over images and runs. Tolerance: 0.03 for the linear model, 0.08 for the MLP, in both \
         scores. CNNs are compared by the order of methods.",
    ));
    analysis.table(agreement(&cells));
    let precision = chart(
        &cells,
        "published_precision",
        "Mean precision of every method: ours over the published",
        0.0,
        |published, ours| [published.precision, ours.precision],
    );
    analysis.curves(precision);
    analysis.curves(chart(
        &cells,
        "published_emd",
        "Median distance score (EMD) of every method: ours over the published",
        0.65,
        |published, ours| [published.emd, ours.emd],
    ));
}

/// The agreement of each data set and model: the number of cells within tolerance, and the order of
/// methods.
fn agreement(cells: &BTreeMap<&[String; 3], Vec<(&PublishedCell, Measured)>>) -> Table {
    let mut table = Table::new(
        "agreement",
        "Agreement with the published scores",
        [
            "scenario",
            "background",
            "model",
            "methods",
            "within tolerance",
            "rank correlation of precision",
            "rank correlation of emd",
        ],
    );
    for ([scenario, background, model], pairs) in cells {
        let most = tolerance(model);
        let within = most.map(|most| {
            let close = pairs.iter().filter(|(published, ours)| {
                (ours.precision - published.precision).abs() <= most
                    && (ours.emd - published.emd).abs() <= most
            });
            close.count()
        });
        let ranked = |of: fn(&(&PublishedCell, Measured)) -> [f64; 2]| {
            let side =
                |side: usize| ranks(&pairs.iter().map(|pair| of(pair)[side]).collect::<Vec<_>>());
            let both: Vec<(f64, f64)> = side(0).into_iter().zip(side(1)).collect();
            coefficient(&both)
        };
        table.row([
            scenario.as_str().into(),
            background.as_str().into(),
            model.as_str().into(),
            pairs.len().into(),
            within.into(),
            ranked(|(published, ours)| [ours.precision, published.precision]).into(),
            ranked(|(published, ours)| [ours.emd, published.emd]).into(),
        ]);
    }
    table
}

/// Our scores against the published ones, with one panel per model. `low` is the lower end of the line of equal scores, and
/// `of` takes both scores of a method.
fn chart(
    cells: &BTreeMap<&[String; 3], Vec<(&PublishedCell, Measured)>>,
    name: &str,
    title: &str,
    low: f64,
    of: fn(&PublishedCell, Measured) -> [f64; 2],
) -> Curves {
    let mut chart = Curves::new(name, title, "published", "ours");
    for model in Architecture::LEVELS {
        let mut curves = vec![Curve {
            series: "equal".to_owned(),
            points: vec![[low, low], [1.0, 1.0]],
            joined: true,
        }];
        for scenario in Scenario::LEVELS {
            let here = |cell: &[String; 3]| cell[0] == scenario.name() && cell[2] == model.name();
            for (_, pairs) in cells.iter().filter(|(cell, _)| here(cell)) {
                let points = pairs.iter().map(|&(published, ours)| of(published, ours));
                curves.push(Curve {
                    series: scenario.title().to_owned(),
                    points: points.collect(),
                    joined: false,
                });
            }
        }
        chart.panel(model.title(), curves);
    }
    chart
}
