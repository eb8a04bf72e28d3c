//! Paired comparisons with one difference per network.

use xai_core::lesions::prelude::*;
use xai_core::statistics::{Interval, Test, bootstrap_clusters, holm, mean, wilcoxon};

/// The columns that [`Paired::entries`] fills.
pub const COLUMNS: [&str; 6] = ["networks", "difference", "low", "high", "p_value", "p_holm"];

/// The summary of the differences between networks.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// The number of networks.
    pub networks: usize,
    /// Their mean difference.
    pub difference: Option<f64>,
    /// Its 95 % interval, by a bootstrap of networks. `None` for fewer than five.
    pub interval: Option<Interval>,
    /// The p value of Wilcoxon's signed-rank test.
    pub p_value: Option<f64>,
    /// The p value corrected by Holm's method for the number of comparisons.
    pub corrected: Option<f64>,
}

impl Paired {
    /// For a table.
    pub fn entries(&self) -> [TableValue; 6] {
        let [low, high] = TableValue::ends(self.interval);
        let [p_value, corrected] = [self.p_value.into(), self.corrected.into()];
        [
            self.networks.into(),
            self.difference.into(),
            low,
            high,
            p_value,
            corrected,
        ]
    }
}

/// All comparisons of a study. Each is a list of differences, one per network. If all are zero or
/// there is no network, there is no test, and the comparison does not count in the correction.
pub fn paired(comparisons: &[Vec<f64>]) -> Vec<Paired> {
    let tests: Vec<Option<Test>> = comparisons.iter().map(|one| wilcoxon(one)).collect();
    let p_values: Vec<f64> = tests.iter().flatten().map(|test| test.p_value).collect();
    let mut corrected = holm(&p_values).into_iter();
    let compared = comparisons.iter().zip(tests);
    let one = |(differences, test): (&Vec<f64>, Option<Test>)| Paired {
        networks: differences.len(),
        difference: mean(differences),
        interval: mean_interval(differences),
        p_value: test.map(|test| test.p_value),
        corrected: test.and_then(|_| corrected.next()),
    };
    compared.map(one).collect()
}

/// The 95 % interval of the mean of independent values, by a bootstrap. `None` for fewer than five.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let intervals = bootstrap_clusters(values.len(), 0.95, 0, |drawn| {
        let values: Vec<f64> = drawn.iter().map(|&at| values[at]).collect();
        Some(vec![mean(&values)?])
    });
    intervals.map(|intervals| intervals[0])
}
