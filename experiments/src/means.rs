//! Mean scores of a network with one method.

use xai_core::metrics::{Metric, Precision, Score};
use xai_core::statistics::mean;

/// The methods with precision scores, in order of first appearance.
pub fn methods(scores: &[Score]) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    for score in scores
        .iter()
        .filter(|score| score.metric == Precision.name())
    {
        if !methods.contains(&score.method) {
            methods.push(score.method.clone());
        }
    }
    methods
}

/// The mean of a metric over the images for one method. `None` if there is no such score.
pub fn mean_of(scores: &[Score], method: &str, metric: &str) -> Option<f64> {
    let wanted = |score: &&Score| score.method == method && score.metric == metric;
    let values: Vec<f64> = scores
        .iter()
        .filter(wanted)
        .map(|score| score.value)
        .collect();
    mean(&values)
}

/// The mean precision for one method.
pub fn precision(scores: &[Score], method: &str) -> Option<f64> {
    mean_of(scores, method, Precision.name())
}
