//! The analysis of the studies `which_metric` and `which_metric_tetromino`: does a metric that needs
//! no ground truth order methods, networks and images as precision does?

use std::collections::{BTreeMap, BTreeSet};

use xai_core::metrics::{Metric, Precision, Score, better, described, metric_title};
use xai_core::prelude::*;
use xai_core::statistics::{Interval, bootstrap_clusters, kendall, mean};

use crate::paired::mean_interval;

/// A network and its scores.
pub struct Judged<'a> {
    /// The data on which it was tested. Only networks on the same data are compared.
    pub data: String,
    /// Its scores.
    pub scores: &'a [Score],
}

/// The mean over images for each metric and method, and the values of each image. Their sign makes
/// larger numbers better, see [`Better::rank`](xai_core::metrics::Better::rank).
struct Means {
    data: String,
    mean: BTreeMap<(String, String), f64>,
    images: BTreeMap<(String, String), BTreeMap<u32, f64>>,
}

impl Means {
    fn of(judged: &Judged) -> Self {
        let mut images: BTreeMap<(String, String), BTreeMap<u32, f64>> = BTreeMap::new();
        for score in judged.scores {
            let value = better(&score.metric).rank(score.value);
            let place = (score.metric.clone(), score.method.clone());
            images.entry(place).or_default().insert(score.image, value);
        }
        let of_images =
            |values: &BTreeMap<u32, f64>| mean(&values.values().copied().collect::<Vec<_>>());
        let means = images
            .iter()
            .filter_map(|(place, values)| Some((place.clone(), of_images(values)?)));
        Self {
            data: judged.data.clone(),
            mean: means.collect(),
            images,
        }
    }

    /// A metric beside precision.
    fn pair(&self, metric: &str, method: &str) -> Option<(f64, f64)> {
        let of = |metric: &str| {
            self.mean
                .get(&(metric.to_owned(), method.to_owned()))
                .copied()
        };
        of(metric).zip(of(Precision.name()))
    }

    /// Kendall's tau over methods.
    fn over_methods(&self, metric: &str, methods: &[String]) -> Option<f64> {
        let pairs = methods
            .iter()
            .filter_map(|method| self.pair(metric, method));
        kendall(&pairs.collect::<Vec<_>>())
    }

    /// The mean over methods of Kendall's tau over images.
    fn over_images(&self, metric: &str, methods: &[String]) -> Option<f64> {
        let of =
            |metric: &str, method: &String| self.images.get(&(metric.to_owned(), method.clone()));
        let tau = |method: &String| {
            let (own, truth) = (of(metric, method)?, of(Precision.name(), method)?);
            let pairs = own
                .iter()
                .filter_map(|(image, value)| Some((*value, *truth.get(image)?)));
            kendall(&pairs.collect::<Vec<_>>())
        };
        mean(&methods.iter().filter_map(tau).collect::<Vec<_>>())
    }

    /// What is lost in precision by the method that the metric ranks first.
    fn loss(&self, metric: &str, methods: &[String]) -> Option<f64> {
        let pairs: Vec<_> = methods
            .iter()
            .filter_map(|method| self.pair(metric, method))
            .collect();
        let chosen = pairs.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let best = pairs.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(best.1 - chosen.1)
    }
}

/// The mean over data sets and methods of Kendall's tau over networks on the same data.
fn over_networks<'a>(
    networks: impl Iterator<Item = &'a Means>,
    metric: &str,
    methods: &[String],
) -> Option<f64> {
    let mut of_data: BTreeMap<&str, Vec<&Means>> = BTreeMap::new();
    for network in networks {
        of_data.entry(&network.data).or_default().push(network);
    }
    let taus = of_data.values().flat_map(|networks| {
        methods.iter().filter_map(move |method| {
            let pairs = networks
                .iter()
                .filter_map(|network| network.pair(metric, method));
            kendall(&pairs.collect::<Vec<_>>())
        })
    });
    mean(&taus.collect::<Vec<_>>())
}

/// Adds a table and a chart of how well each metric agrees with precision.
pub fn agreement(networks: &[Judged], analysis: &mut Analysis) {
    let networks: Vec<Means> = networks.iter().map(Means::of).collect();
    let places: BTreeSet<&(String, String)> =
        networks.iter().flat_map(|one| one.mean.keys()).collect();
    let methods: Vec<String> = places
        .iter()
        .filter(|(metric, _)| metric == Precision.name())
        .map(|(_, method)| method.clone())
        .collect();
    let judged = places.iter().filter(|(_, method)| methods.contains(method));
    let mut metrics: Vec<&str> = judged.map(|(metric, _)| metric.as_str()).collect();
    metrics.dedup();
    metrics.retain(|metric| *metric != Precision.name() && described(metric).is_some());
    let mut rows: Vec<Row> = metrics
        .iter()
        .map(|metric| Row::of(metric, &networks, &methods))
        .collect();
    rows.sort_by(|a, b| {
        b.taus[0]
            .0
            .unwrap_or(f64::NEG_INFINITY)
            .total_cmp(&a.taus[0].0.unwrap_or(f64::NEG_INFINITY))
    });

    let mut columns = vec!["metric".to_owned()];
    for over in OVER {
        columns.extend(["", "_low", "_high"].map(|end| format!("{over}{end}")));
    }
    columns.extend(["loss", "loss_low", "loss_high"].map(str::to_owned));
    let mut table = Table::new("agreement", "Which metric agrees with the ground truth?", columns).caption(format!(
        "Kendall's tau-b with the mean precision, of {} networks and {} methods: 1 is the same order, 0 no relation, -1 the \
         reverse. `methods`: over methods, for each network. `networks`: over networks on the same data, for each method. \
         `images`: over images, for each network and method. `loss`: the precision of the best method less that of the method that \
         the metric ranks first. Means; 95 % intervals by a bootstrap of networks. A metric of which less is better has the \
         opposite sign, and one of which nearer to 0 is better counts by its size, also with the opposite sign.",
        networks.len(),
        methods.len(),
    ));
    for row in &rows {
        let mut entries: Vec<TableValue> = vec![row.metric.into()];
        for (value, interval) in row.taus.iter().chain([&row.loss]) {
            entries.push((*value).into());
            entries.extend(TableValue::ends(*interval));
        }
        table.row(entries);
    }
    analysis.table(table);
    analysis.forest(chart(&rows));
}

/// What is put in order.
const OVER: [&str; 3] = ["methods", "networks", "images"];

type WithInterval = (Option<f64>, Option<Interval>);

struct Row<'a> {
    metric: &'a str,
    taus: [WithInterval; 3],
    loss: WithInterval,
}

impl<'a> Row<'a> {
    fn of(metric: &'a str, networks: &[Means], methods: &[String]) -> Self {
        let of_networks = |values: Vec<f64>| (mean(&values), mean_interval(&values));
        let each = |of: fn(&Means, &str, &[String]) -> Option<f64>| {
            of_networks(
                networks
                    .iter()
                    .filter_map(|one| of(one, metric, methods))
                    .collect(),
            )
        };
        let drawn = bootstrap_clusters(networks.len(), 0.95, 0, |drawn| {
            let drawn = drawn.iter().map(|&at| &networks[at]);
            Some(vec![over_networks(drawn, metric, methods)?])
        });
        let among = over_networks(networks.iter(), metric, methods);
        Self {
            metric,
            taus: [
                each(Means::over_methods),
                (among, among.and(drawn).map(|intervals| intervals[0])),
                each(Means::over_images),
            ],
            loss: each(Means::loss),
        }
    }
}

fn chart(rows: &[Row]) -> Forest {
    let mut chart = Forest::new(
        "agreement_chart",
        "Agreement with the ground truth",
        "Kendall's tau with precision",
        rows.iter().map(|row| metric_title(row.metric)),
    )
    .caption("See the table agreement.");
    for (at, over) in OVER.iter().enumerate() {
        let estimates = rows.iter().enumerate().filter_map(|(number, row)| {
            let (value, interval) = row.taus[at];
            Some(Estimate {
                row: number,
                series: String::new(),
                value: value?,
                interval,
            })
        });
        chart.panel(format!("Order of {over}"), estimates.collect());
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(image: u32, method: &str, metric: &str, value: f64) -> Score {
        Score {
            image,
            class: 0,
            method: method.into(),
            metric: metric.into(),
            value,
        }
    }

    /// Deletion is better if it is less, so it agrees with precision if it falls as precision rises.
    #[test]
    fn a_metric_of_which_less_is_better_agrees_if_it_falls() {
        let networks: Vec<Vec<Score>> = (0..5)
            .map(|network| {
                let methods = ["a", "b", "c"].into_iter().zip([0.1, 0.2, 0.3]);
                methods
                    .flat_map(|(method, value)| {
                        let value = value + f64::from(network);
                        [
                            score(0, method, "precision", value),
                            score(0, method, "deletion", -value),
                            score(0, method, "sparseness", -value),
                            score(0, method, "zero_map", value),
                        ]
                    })
                    .collect()
            })
            .collect();
        let judged: Vec<Judged> = networks
            .iter()
            .map(|scores| Judged {
                data: "one".into(),
                scores,
            })
            .collect();
        let mut analysis = Analysis::default();
        agreement(&judged, &mut analysis);
        let AnalysisItem::Table(table) = &analysis.parts[0] else {
            panic!("a table first");
        };
        let number = |row: usize, column: usize| match table.rows[row][column] {
            TableValue::Number(value) => Some(value),
            _ => None,
        };
        assert_eq!(table.rows.len(), 2); // checks are no metrics
        for (row, tau, loss) in [(0, 1.0, 0.0), (1, -1.0, 0.2)] {
            assert_eq!(
                (number(row, 1), number(row, 2), number(row, 3)),
                (Some(tau), Some(tau), Some(tau))
            );
            assert_eq!(number(row, 4), Some(tau));
            assert_eq!(number(row, 7), None); // a single image has no order
            assert!((number(row, 10).unwrap() - loss).abs() < 1e-12);
        }
    }
}
