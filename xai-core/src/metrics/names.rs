//! Metrics by name, for programs that choose metrics at run time, and for reports, which only know
//! names.

use Better::{Less, More, NearerZero};

use crate::error::{Error, Result};
use crate::metrics::{
    Auprc, Auroc, Count, Emd, EmdFalseNegativeInvariant, EmdTopK, Metric, PointingGame, Precision,
    PrecisionWithoutZeros, RelevanceMassAccuracy, RelevanceRankAccuracy, TopKIntersection,
};
use crate::suggest::did_you_mean;

/// Which scores of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Larger ones.
    More,
    /// Smaller ones.
    Less,
    /// Those nearer to 0. The score is a correlation that should vanish.
    NearerZero,
}

impl Better {
    /// `score`, with the sign that makes a larger number better: `score`, `-score` or `-|score|`.
    pub fn rank(self, score: f64) -> f64 {
        match self {
            Self::More => score,
            Self::Less => -score,
            Self::NearerZero => -score.abs(),
        }
    }
}

/// A metric that can be selected by its name.
#[derive(Clone, Copy)]
pub struct NamedMetric {
    /// The name in snake case, as in [`named`] and in rows of scores.
    pub name: &'static str,
    /// The title within a sentence.
    pub title: &'static str,
    /// A short description that follows the title.
    pub meaning: &'static str,
    /// Which scores are better.
    pub better: Better,
    make: fn() -> Box<dyn Metric>,
}

/// All metrics of a map and the ground truth, with their default options.
#[rustfmt::skip]
pub const METRICS: [NamedMetric; 15] = [
    metric("precision", "precision", "of the k pixels that a map marks most, the share that lies in the ground truth, where k is the number of the ground truth's pixels", || Box::new(Precision)),
    metric("precision_without_zeros", "precision without zeros", "of the k pixels that a map marks most, the share that lies in the ground truth and is not zero, where k is the number of the ground truth's pixels", || Box::new(PrecisionWithoutZeros)),
    metric("true_positives", "true positives", "how many pixels of the ground truth are among the k that a map marks most, where k is the number of the ground truth's pixels", || Box::new(Count::TruePositives)),
    metric("true_negatives", "true negatives", "how many pixels outside the ground truth are not among the k that a map marks most, where k is the number of the ground truth's pixels", || Box::new(Count::TrueNegatives)),
    less_is_better("false_positives", "false positives", "how many pixels outside the ground truth are among the k that a map marks most, where k is the number of the ground truth's pixels", || Box::new(Count::FalsePositives)),
    less_is_better("false_negatives", "false negatives", "how many pixels of the ground truth are not among the k that a map marks most, where k is the number of the ground truth's pixels", || Box::new(Count::FalseNegatives)),
    metric("relevance_mass_accuracy", "relevance mass accuracy", "the share of a map's total |value| that lies in the ground truth", || Box::new(RelevanceMassAccuracy)),
    metric("relevance_rank_accuracy", "relevance rank accuracy", "of the k pixels that a map marks most, the share that lies in the ground truth, where k is the number of the ground truth's pixels", || Box::new(RelevanceRankAccuracy)),
    metric("pointing_game", "pointing game", "whether the pixel that a map marks most lies in the ground truth", || Box::new(PointingGame)),
    metric("top_k_intersection", "top-k intersection", "of the 1,000 pixels that a map marks most, the share that lies in the ground truth", || Box::new(TopKIntersection::default())),
    metric("auroc", "AUROC", "the probability that a pixel of the ground truth has a higher value than a pixel outside it", || Box::new(Auroc)),
    metric("auprc", "AUPRC", "the precision averaged over all thresholds, weighted by the gain in recall", || Box::new(Auprc)),
    metric("emd", "EMD score", "one minus the earth mover's distance between map and ground truth, as a share of the longest distance in the image", || Box::new(Emd)),
    metric("emd_top_k", "EMD score of the top pixels", "one minus the earth mover's distance between the k pixels that a map marks most and the ground truth, where k is the number of the ground truth's pixels", || Box::new(EmdTopK)),
    metric("emd_false_negative_invariant", "EMD score without false negatives", "as the EMD score, but relevance anywhere in the ground truth costs nothing", || Box::new(EmdFalseNegativeInvariant)),
];

/// What a reader must know about a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The name in snake case, as in rows of scores.
    pub name: &'static str,
    /// The title within a sentence.
    pub title: &'static str,
    /// A short description that follows the title.
    pub meaning: &'static str,
    /// Which scores are better.
    pub better: Better,
}

/// The [measures](crate::attribution::Measure): scores that need a model and a method, but no ground truth.
#[rustfmt::skip]
pub const WITHOUT_TRUTH: [Described; 9] = [
    measure("deletion", "deletion", "the mean probability of the class while a map's pixels are removed, highest first", Less),
    measure("insertion", "insertion", "the mean probability of the class while a map's pixels are added to the baseline, highest first", More),
    measure("pixel_flipping", "pixel flipping", "the mean score of the class while single values of the image are removed, those with the highest attribution first", Less),
    measure("road", "ROAD", "how often the class is still predicted while a map's pixels are replaced by means of their neighbours, highest first", Less),
    measure("infidelity", "infidelity", "the mean squared difference between the change of the score when a square is removed and the sum of its attributions", Less),
    measure("max_sensitivity", "max-sensitivity", "the largest relative change of the attribution when the image hardly changes", Less),
    measure("sparseness", "sparseness", "the Gini index of a map", More),
    measure("random_logit", "random logit", "the rank correlation of the attributions of the true and of another class", NearerZero),
    measure("mprt", "MPRT", "the rank correlation of the attributions of the network and of networks with random parameters", NearerZero),
];

const fn measure(
    name: &'static str,
    title: &'static str,
    meaning: &'static str,
    better: Better,
) -> Described {
    Described {
        name,
        title,
        meaning,
        better,
    }
}

/// Which scores of the metric of this name are better. Larger ones, for a metric of an experiment's own.
pub fn better(name: &str) -> Better {
    described(name).map_or(More, |known| known.better)
}

/// What is known about the metric of this name. `None` for a metric of an experiment's own.
pub fn described(name: &str) -> Option<Described> {
    let known = METRICS.iter().find(|metric| metric.name == name);
    let known = known.map(|of| measure(of.name, of.title, of.meaning, of.better));
    known.or_else(|| WITHOUT_TRUTH.into_iter().find(|metric| metric.name == name))
}

/// The names of all metrics, as in [`named`].
pub const NAMES: [&str; METRICS.len()] = {
    let mut names = [""; METRICS.len()];
    let mut at = 0;
    while at < METRICS.len() {
        names[at] = METRICS[at].name;
        at += 1;
    }
    names
};

const fn metric(
    name: &'static str,
    title: &'static str,
    meaning: &'static str,
    make: fn() -> Box<dyn Metric>,
) -> NamedMetric {
    NamedMetric {
        name,
        title,
        meaning,
        better: More,
        make,
    }
}

const fn less_is_better(
    name: &'static str,
    title: &'static str,
    meaning: &'static str,
    make: fn() -> Box<dyn Metric>,
) -> NamedMetric {
    NamedMetric {
        better: Less,
        ..metric(name, title, meaning, make)
    }
}

/// The metric of this name with its default options.
///
/// # Errors
/// If no metric has this name. The message suggests a similar name, or lists the names.
pub fn named(name: &str) -> Result<Box<dyn Metric>> {
    let known = METRICS.iter().find(|metric| metric.name == name);
    known.map(|metric| (metric.make)()).ok_or_else(|| {
        let near = did_you_mean(name, NAMES);
        let near = near.unwrap_or_else(|| format!("; there are {}", NAMES.join(", ")));
        Error::invalid(format!("no metric is called `{name}`{near}"))
    })
}

/// The title of the metric of this name. For a metric of an experiment's own, its name with spaces.
pub fn metric_title(name: &str) -> String {
    described(name).map_or_else(|| name.replace('_', " "), |metric| metric.title.to_owned())
}
