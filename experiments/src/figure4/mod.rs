//! The paper's Figure 4: its medians, and the accuracies of its networks.

use xai_core::prelude::*;

/// The published values for the networks that were selected by this rule: `best` or `same` accuracy.
///
/// `read.py` read the medians off the paper's pictures, to about 0.002, and has the accuracies from its table.
pub fn published(selection: &str) -> Published {
    let mut values = Vec::new();
    let rows = include_str!("published.csv").lines().skip(1);
    for row in rows.filter(|row| row.split(',').next() == Some(selection)) {
        let fields: Vec<&str> = row.split(',').collect();
        let [_, corpus, depth, method, median, accuracy] = fields[..] else {
            panic!("six fields a row: {row}");
        };
        let levels = [("corpus", corpus), ("depth", depth)];
        let levels = levels.map(|(axis, level)| (axis.to_owned(), level.to_owned()));
        let number = |text: &str| text.parse().expect("a number");
        let mut add = |method: &str, metric: &str, statistic, value| {
            let value = PublishedValue {
                levels: levels.to_vec(),
                method: method.to_owned(),
                metric: metric.to_owned(),
                statistic,
                value,
            };
            if !values.contains(&value) {
                values.push(value);
            }
        };
        add(method, "precision", Statistic::Median, number(median));
        if method == "deep_lift" {
            // What Captum computed.
            add(
                "deep_lift_captum",
                "precision",
                Statistic::Median,
                number(median),
            );
        }
        add("", TEST_ACCURACY, Statistic::Mean, number(accuracy));
    }
    Published {
        source: "Oliveira et al. (2024), Figure 4 (medians read off the picture, to about 0.002) and the table of \
                 accuracies (means of 3 networks on 8,539 images), on the authors' brain scans and with the defects of \
                 their code."
            .to_owned(),
        scales: vec![Scale::Paper],
        values,
    }
}
