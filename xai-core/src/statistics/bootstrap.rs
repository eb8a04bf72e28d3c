//! How sure a mean is.

use std::collections::BTreeMap;

use rand::Rng;

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

/// Resamples of a bootstrap. The ends of a 95 % interval, about the 25th value from either side, then
/// have a standard error of about 2 % of the interval's width.
const RESAMPLES: usize = 1000;

/// The confidence interval of the mean of `values`, each given with the image that it belongs to;
/// `level` is 0.95 for a 95 % interval. `None` of nothing.
///
/// Percentile bootstrap (Efron 1979) with the image as the unit that is drawn: the scores of
/// one image under several training seeds are similar, and to draw them one by one would count the
/// same image several times and make the interval too narrow. It says how the mean would vary with
/// other images, not with other training seeds.
///
/// Draws come from the stream ("bootstrap", `seed`), so that the same values give the same interval.
pub fn bootstrap_mean(values: &[(u32, f64)], level: f64, seed: u64) -> Option<Interval> {
    let mut images: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
    for &(image, value) in values {
        let (sum, count) = images.entry(image).or_default();
        *sum += value;
        *count += 1;
    }
    let images: Vec<(f64, usize)> = images.into_values().collect();
    if images.is_empty() {
        return None;
    }

    let mut random = random::stream(seed, "bootstrap");
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (sum, count) = (0..images.len())
                .map(|_| images[random.random_range(0..images.len())])
                .fold((0.0, 0), |total, one| (total.0 + one.0, total.1 + one.1));
            sum / count as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval {
        low: quantile(&means, tail)?,
        high: quantile(&means, 1.0 - tail)?,
    })
}
