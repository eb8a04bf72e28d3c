//! The analysis of the study `postprocessing`: do policies change the order of methods?

use std::collections::BTreeMap;

use xai_core::metrics::{
    CHANCE, Metric, Precision, RelevanceMassAccuracy, group_name, metric_title,
};
use xai_core::prelude::*;
use xai_core::report::method_title;
use xai_core::statistics::{kendall, mean};

use crate::means::methods;
use crate::paired::mean_interval;

/// Mean scores of a network by metric (with its policy) and method.
type Means = BTreeMap<(String, String), f64>;

fn means(tested: &Tested) -> Means {
    let mut values: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for score in tested.scores.iter().filter(|score| score.method != CHANCE) {
        let place = (score.metric.clone(), score.method.clone());
        values.entry(place).or_default().push(score.value);
    }
    let means = values
        .into_iter()
        .filter_map(|(place, values)| Some((place, mean(&values)?)));
    means.collect()
}

/// Adds a table and a chart of how each policy orders the methods, beside the order without it.
pub fn rankings(networks: &[&Tested], policies: &[&str], analysis: &mut Analysis) {
    let methods = networks
        .first()
        .map_or(Vec::new(), |tested| methods(&tested.scores));
    let all: Vec<Means> = networks.iter().map(|tested| means(tested)).collect();
    let mut table = Table::new(
        "policies",
        "Does the order of methods depend on post-processing?",
        ["metric", "policy", "tau", "tau_low", "tau_high", "same_best", "best", "score", "chance"],
    )
    .caption(format!(
        "`tau`: Kendall's tau-b between the mean scores of the methods with the policy and without it, for each of {} networks; 1 \
         is the same order. Means over networks, with 95 % intervals by a bootstrap of networks. `same_best`: the share of \
         networks whose best method stays the same. `best`: the method with the highest mean over networks, and its `score`. The chance level \
         rises with the tolerance.",
        networks.len()
    ));
    let mut chart = Forest::new(
        "policies_chart",
        "Order of methods with each policy and without",
        "Kendall's tau",
        policies.iter().copied(),
    )
    .caption("See the table policies.");
    for metric in [Precision.name(), RelevanceMassAccuracy.name()] {
        let mut estimates = Vec::new();
        for (row, policy) in policies.iter().enumerate() {
            let changed = group_name(metric, policy);
            let pairs: Vec<Vec<(f64, f64)>> = (all.iter())
                .map(|means| {
                    let of = |metric: &str, method: &String| {
                        means.get(&(metric.to_owned(), method.clone())).copied()
                    };
                    let pair = |method: &String| of(metric, method).zip(of(&changed, method));
                    methods.iter().filter_map(pair).collect()
                })
                .collect();
            let taus: Vec<f64> = pairs.iter().filter_map(|pairs| kendall(pairs)).collect();
            let interval = mean_interval(&taus);
            let same: Vec<f64> = pairs
                .iter()
                .filter_map(|pairs| same_best(pairs))
                .map(|same| f64::from(u8::from(same)))
                .collect();
            let score = |method: &String| {
                let of = all
                    .iter()
                    .filter_map(|means| means.get(&(changed.clone(), method.clone())));
                mean(&of.copied().collect::<Vec<_>>())
            };
            let scores = methods
                .iter()
                .filter_map(|method| Some((method, score(method)?)));
            let best = scores.max_by(|a, b| a.1.total_cmp(&b.1));
            let mut entries: Vec<TableValue> =
                vec![metric.into(), (*policy).into(), mean(&taus).into()];
            entries.extend(TableValue::ends(interval));
            entries.push(mean(&same).into());
            entries.push(best.map(|(method, _)| method.as_str()).into());
            entries.push(best.map(|(_, score)| score).into());
            entries.push(chance(networks, &changed).into());
            table.row(entries);
            estimates.extend(mean(&taus).map(|value| Estimate {
                row,
                series: String::new(),
                value,
                interval,
            }));
        }
        chart.panel(metric_title(metric), estimates);
    }
    analysis.table(table);
    analysis.forest(chart);
    analysis.table(scores(&all, &methods, policies));
}

/// Whether the method with the highest score is the same with the policy and without.
fn same_best(pairs: &[(f64, f64)]) -> Option<bool> {
    let best = |of: fn(&(f64, f64)) -> f64| {
        let numbers = pairs.iter().map(of).enumerate();
        numbers.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
    };
    Some(best(|pair| pair.0)? == best(|pair| pair.1)?)
}

fn chance(networks: &[&Tested], metric: &str) -> Option<f64> {
    let name = xai_core::metrics::chance_name(metric);
    let scores = networks.iter().flat_map(|tested| &tested.scores);
    let levels = scores.filter(|score| score.metric == name);
    mean(&levels.map(|score| score.value).collect::<Vec<_>>())
}

/// The mean precision of each method under each policy.
fn scores(all: &[Means], methods: &[String], policies: &[&str]) -> Table {
    let columns = ["policy".to_owned()]
        .into_iter()
        .chain(methods.iter().map(|method| method_title(method)));
    let mut table = Table::new("precision_by_policy", "Mean precision by policy", columns);
    for policy in [None].into_iter().chain(policies.iter().map(Some)) {
        let metric = policy.map_or(Precision.name().to_owned(), |policy| {
            group_name(Precision.name(), policy)
        });
        let mut row: Vec<TableValue> = vec![policy.map_or("none", |policy| policy).into()];
        row.extend(methods.iter().map(|method| {
            let values = all
                .iter()
                .filter_map(|means| means.get(&(metric.clone(), method.clone())).copied());
            TableValue::from(mean(&values.collect::<Vec<_>>()))
        }));
        table.row(row);
    }
    table.caption("Means over networks.")
}
