//! Metrics by name, for programs that learn at run time what to compute.

use crate::error::{Error, Result};
use crate::metrics::{
    Auprc, Auroc, Count, Emd, EmdFalseNegativeInvariant, EmdTopK, Metric, PointingGame, Precision, PrecisionWithoutZeros, RelevanceMassAccuracy,
    RelevanceRankAccuracy, TopKIntersection,
};

/// The names of all metrics, as [`named`] takes them.
pub const NAMES: [&str; 15] = [
    "precision",
    "precision_without_zeros",
    "true_positives",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "relevance_mass_accuracy",
    "relevance_rank_accuracy",
    "pointing_game",
    "top_k_intersection",
    "auroc",
    "auprc",
    "emd",
    "emd_top_k",
    "emd_false_negative_invariant",
];

/// The metric of this name with its default options.
///
/// # Errors
/// A name that no metric has; the message says what comes near, or which names there are.
pub fn named(name: &str) -> Result<Box<dyn Metric>> {
    Ok(match name {
        "precision" => Box::new(Precision),
        "precision_without_zeros" => Box::new(PrecisionWithoutZeros),
        "true_positives" => Box::new(Count::TruePositives),
        "true_negatives" => Box::new(Count::TrueNegatives),
        "false_positives" => Box::new(Count::FalsePositives),
        "false_negatives" => Box::new(Count::FalseNegatives),
        "relevance_mass_accuracy" => Box::new(RelevanceMassAccuracy),
        "relevance_rank_accuracy" => Box::new(RelevanceRankAccuracy),
        "pointing_game" => Box::new(PointingGame),
        "top_k_intersection" => Box::new(TopKIntersection::default()),
        "auroc" => Box::new(Auroc),
        "auprc" => Box::new(Auprc),
        "emd" => Box::new(Emd),
        "emd_top_k" => Box::new(EmdTopK),
        "emd_false_negative_invariant" => Box::new(EmdFalseNegativeInvariant),
        _ => {
            let closeness = |known: &&str| strsim::jaro_winkler(name, known);
            let near = NAMES
                .into_iter()
                .max_by(|a, b| closeness(a).total_cmp(&closeness(b)));
            return Err(Error::invalid(match near {
                Some(near) if closeness(&near) > 0.75 => {
                    format!("no metric is called `{name}`; did you mean `{near}`?")
                }
                _ => format!(
                    "no metric is called `{name}`; there are {}",
                    NAMES.join(", ")
                ),
            }));
        }
    })
}
