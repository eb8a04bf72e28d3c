//! Bootstrap confidence intervals.

use std::collections::BTreeMap;

use rand::Rng;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::quantile;
use crate::random;

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The range of the draws without the share `tail` of them at either end. `None` if there are no draws.
    pub(super) fn of_draws(draws: &mut [f64], tail: f64) -> Option<Self> {
        draws.sort_by(f64::total_cmp);
        Some(Self {
            low: quantile(draws, tail)?,
            high: quantile(draws, 1.0 - tail)?,
        })
    }
}

/// Resamples of a bootstrap. The ends of a 95 % interval, about the 25th value from either side,
/// then have a standard error of about 2 % of the interval's width if the draws are normally distributed. With few clusters
/// they may have long tails, and the error is larger.
pub(super) const RESAMPLES: usize = 1000;

/// With fewer images, values or clusters there is no interval. A bootstrap cannot leave the range of the values it
/// has seen, and that of n values holds the true median in at most `1 - 2 / 2^n` of the cases: never for one, 75 % for
/// three, 88 % for four and 94 % for five.
pub(super) const FEWEST: usize = 5;

/// The confidence interval of the mean of `values`, each given with the image to which it belongs: its index, or the
/// index together with the test set if there are several.
/// `level` is 0.95 for a 95 % interval. `None` for fewer than five images, whose range is too narrow for an interval.
///
/// This is a percentile bootstrap (Efron 1979) that resamples images. The scores of one image under
/// several training seeds are similar. Resampling them separately would count the same image
/// several times and make the interval too narrow. The interval describes how the mean would vary
/// with other images, not with other training seeds.
///
/// Draws come from the stream ("bootstrap", `seed`), so the same values give the same interval.
pub fn bootstrap_mean<Image: Ord + Copy>(
    values: &[(Image, f64)],
    level: f64,
    seed: u64,
) -> Option<Interval> {
    let mut images: BTreeMap<Image, (f64, usize)> = BTreeMap::new();
    for &(image, value) in values {
        let (sum, count) = images.entry(image).or_default();
        *sum += value;
        *count += 1;
    }
    let images: Vec<(f64, usize)> = images.into_values().collect();
    if images.len() < FEWEST {
        return None;
    }

    // Drawn as u32: half the random bits take half the time.
    let end = images.len() as u32;
    let mut random = random::stream(seed, "bootstrap");
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (sum, count) = (0..end)
                .map(|_| images[random.random_range(0..end) as usize])
                .fold((0.0, 0), |total, one| (total.0 + one.0, total.1 + one.1));
            sum / count as f64
        })
        .collect();
    Interval::of_draws(&mut means, (1.0 - level) / 2.0)
}

/// The confidence interval of the difference of the means of two independent samples, `here` minus `there`: a percentile
/// bootstrap that resamples each of them. `None` for fewer than five values in either.
///
/// Draws come from the stream ("bootstrap/difference", `seed`).
pub fn bootstrap_difference(
    here: &[f64],
    there: &[f64],
    level: f64,
    seed: u64,
) -> Option<Interval> {
    if here.len().min(there.len()) < FEWEST {
        return None;
    }
    let mut random = random::stream(seed, "bootstrap/difference");
    let mut drawn = |values: &[f64]| {
        let sum: f64 = (0..values.len())
            .map(|_| values[random.random_range(0..values.len())])
            .sum();
        sum / values.len() as f64
    };
    let mut differences: Vec<f64> = (0..RESAMPLES).map(|_| drawn(here) - drawn(there)).collect();
    Interval::of_draws(&mut differences, (1.0 - level) / 2.0)
}

/// The confidence intervals of statistics of clustered observations. As many clusters (networks) as
/// there are, `clusters`, are drawn with replacement. `statistics` returns the numbers of a draw,
/// in the same order each time. `None` for fewer than five clusters, or if less than half of the
/// draws have numbers (`statistics` returns `None` for a draw that cannot be fitted).
///
/// This is a percentile bootstrap whose tails are widened for few clusters (Hesterberg 2015,
/// "expanded percentile"). Plain percentiles are too narrow by the factor `sqrt((n - 1) / n)` and
/// by the ratio of Student's t to the normal. Draws come from the stream ("bootstrap/clusters",
/// `seed`).
pub fn bootstrap_clusters(
    clusters: usize,
    level: f64,
    seed: u64,
    statistics: impl Fn(&[usize]) -> Option<Vec<f64>> + Sync,
) -> Option<Vec<Interval>> {
    if clusters < FEWEST {
        return None;
    }
    let mut random = random::stream(seed, "bootstrap/clusters");
    let draws: Vec<Vec<usize>> = (0..RESAMPLES)
        .map(|_| {
            (0..clusters)
                .map(|_| random.random_range(0..clusters))
                .collect()
        })
        .collect();
    let drawn: Vec<Vec<f64>> = draws
        .par_iter()
        .filter_map(|draw| statistics(draw))
        .filter(|numbers| numbers.iter().all(|number| number.is_finite()))
        .collect();
    if drawn.len() < RESAMPLES / 2 {
        return None;
    }
    let tail = expanded_tail(clusters, level)?;
    let interval = |at: usize| {
        let mut values: Vec<f64> = drawn.iter().map(|numbers| numbers[at]).collect();
        Interval::of_draws(&mut values, tail)
    };
    (0..drawn[0].len()).map(interval).collect()
}

/// The share of draws beyond either end of an interval: the share of the normal distribution beyond
/// the widened quantile of Student's t.
pub(super) fn expanded_tail(clusters: usize, level: f64) -> Option<f64> {
    let n = clusters as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let reach = t.inverse_cdf(0.5 + level / 2.0) * (n / (n - 1.0)).sqrt();
    Some(Normal::standard().cdf(-reach))
}
