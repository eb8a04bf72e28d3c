//! Correlation of two numbers.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Interval;

/// A correlation coefficient, its confidence interval and its p value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation {
    /// From -1 to 1.
    pub coefficient: f64,
    /// Its confidence interval by Fisher's z. `None` for fewer than four pairs.
    pub interval: Option<Interval>,
    /// Two-sided, for the hypothesis of no correlation (Student's t with n - 2 degrees of freedom).
    pub p_value: f64,
    /// The number of pairs.
    pub n: usize,
}

/// Pearson's correlation: how close the pairs are to a straight line. `None` for fewer than three
/// pairs, if one of the two does not vary, or if a number is NaN. Equal to `scipy.stats.pearsonr`.
///
/// The pairs must be independent: one pair per trained network, not one per image. For clustered
/// pairs, take the interval from [`bootstrap_clusters`](super::bootstrap_clusters).
pub fn pearson(pairs: &[(f64, f64)], level: f64) -> Option<Correlation> {
    correlation(pairs, level, |_| 1.0)
}

/// Spearman's correlation: how close the pairs are to any rising curve. It is Pearson's correlation
/// of the ranks, where ties share their rank. Equal to `scipy.stats.spearmanr`. As for [`pearson`],
/// the pairs must be independent. `None` also if a number is NaN, which has no rank.
///
/// The variance of Fisher's z is that of Bonett and Wright (2000), `(1 + r^2 / 2) / (n - 3)`.
pub fn spearman(pairs: &[(f64, f64)], level: f64) -> Option<Correlation> {
    if pairs.iter().any(|pair| pair.0.is_nan() || pair.1.is_nan()) {
        return None;
    }
    let ranks = |of: fn(&(f64, f64)) -> f64| ranks(&pairs.iter().map(of).collect::<Vec<_>>());
    let ranked = ranks(|pair| pair.0).into_iter().zip(ranks(|pair| pair.1));
    let ranked: Vec<(f64, f64)> = ranked.collect();
    correlation(&ranked, level, |r| 1.0 + r * r / 2.0)
}

/// `spread` returns the variance of Fisher's z, times n - 3, at a coefficient.
fn correlation(
    pairs: &[(f64, f64)],
    level: f64,
    spread: impl Fn(f64) -> f64,
) -> Option<Correlation> {
    let n = pairs.len();
    let coefficient = coefficient(pairs)?;
    let degrees = n as f64 - 2.0;
    let t = coefficient * (degrees / (1.0 - coefficient * coefficient)).sqrt();
    let p_value = if t.is_finite() {
        2.0 * StudentsT::new(0.0, 1.0, degrees).ok()?.cdf(-t.abs())
    } else {
        0.0 // a perfect line
    };
    let interval = (n > 3).then(|| {
        let reach =
            normal_quantile(0.5 + level / 2.0) * (spread(coefficient) / (n as f64 - 3.0)).sqrt();
        // atanh(1) is infinite, and tanh maps it back to 1.
        Interval {
            low: (coefficient.atanh() - reach).tanh(),
            high: (coefficient.atanh() + reach).tanh(),
        }
    });
    Some(Correlation {
        coefficient,
        interval,
        p_value,
        n,
    })
}

/// Pearson's coefficient alone. `None` as for [`pearson`].
pub fn coefficient(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len();
    if n < 3 {
        return None;
    }
    // The mean of equal numbers may differ from them by rounding, which would count as variation.
    let first = pairs[0];
    if pairs.iter().all(|pair| pair.0 == first.0) || pairs.iter().all(|pair| pair.1 == first.1) {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n as f64;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let [mut xx, mut yy, mut xy] = [0.0; 3];
    for (a, b) in pairs {
        xx += (a - x).powi(2);
        yy += (b - y).powi(2);
        xy += (a - x) * (b - y);
    }
    let scale = (xx * yy).sqrt();
    (scale > 0.0).then(|| (xy / scale).clamp(-1.0, 1.0))
}

/// Kendall's tau-b: the share of pairs of entries that both numbers order alike, less the share that
/// they order differently; ties count for neither. 1 is the same order, -1 the reverse. `None` for
/// fewer than two entries, if one of the two does not vary, or if a number is NaN. Equal to `scipy.stats.kendalltau`.
pub fn kendall(pairs: &[(f64, f64)]) -> Option<f64> {
    let [mut order, mut first, mut second] = [0.0; 3];
    for (at, a) in pairs.iter().enumerate() {
        for b in &pairs[..at] {
            let sign = |difference: f64| match difference {
                0.0 => 0.0,
                other => other.signum(),
            };
            let (x, y) = (sign(a.0 - b.0), sign(a.1 - b.1));
            order += x * y;
            first += x * x;
            second += y * y;
        }
    }
    let scale = f64::sqrt(first * second);
    (scale > 0.0).then(|| order / scale)
}

/// The rank of each value in ascending order, starting at 1. Equal values share the mean of their
/// ranks. Equal to `scipy.stats.rankdata`, except that NaN has a rank here: use it for numbers only.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&at| ranks[at] = shared);
        start += tied.len();
    }
    ranks
}

/// The quantile of the standard normal distribution.
pub(super) fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}
