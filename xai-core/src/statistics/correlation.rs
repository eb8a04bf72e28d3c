//! How two numbers go together.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Interval;

/// A correlation coefficient, how sure it is, and whether it could be chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation {
    /// From -1 to 1.
    pub coefficient: f64,
    /// Its confidence interval by Fisher's z; `None` of fewer than four pairs.
    pub interval: Option<Interval>,
    /// Two-sided, of no correlation (Student's t with n - 2 degrees of freedom).
    pub p_value: f64,
    /// The number of pairs.
    pub n: usize,
}

/// Pearson's correlation: how close pairs come to a straight line. `None` of fewer than three pairs, or where
/// one of the two never varies. Equal to `scipy.stats.pearsonr`.
///
/// Pairs must be independent of each other: one pair a trained network, not one an image. For pairs
/// in clusters take the interval from [`bootstrap_clusters`](super::bootstrap_clusters).
pub fn pearson(pairs: &[(f64, f64)], level: f64) -> Option<Correlation> {
    correlation(pairs, level, |_| 1.0)
}

/// Spearman's correlation: how close pairs come to any rising curve; Pearson's of the ranks, ties sharing theirs.
/// Equal to `scipy.stats.spearmanr`. As for [`pearson`], pairs must be independent.
///
/// The variance of Fisher's z is Bonett and Wright's (2000), `(1 + r^2 / 2) / (n - 3)`.
pub fn spearman(pairs: &[(f64, f64)], level: f64) -> Option<Correlation> {
    let ranks = |of: fn(&(f64, f64)) -> f64| ranks(&pairs.iter().map(of).collect::<Vec<_>>());
    let ranked = ranks(|pair| pair.0).into_iter().zip(ranks(|pair| pair.1));
    let ranked: Vec<(f64, f64)> = ranked.collect();
    correlation(&ranked, level, |r| 1.0 + r * r / 2.0)
}

/// `spread` is the variance of Fisher's z, times n - 3, at a coefficient.
fn correlation(
    pairs: &[(f64, f64)],
    level: f64,
    spread: impl Fn(f64) -> f64,
) -> Option<Correlation> {
    let n = pairs.len();
    let coefficient = coefficient(pairs)?;
    let degrees = n as f64 - 2.0;
    let t = coefficient * (degrees / (1.0 - coefficient * coefficient)).sqrt();
    let p_value = match t.is_finite() {
        true => 2.0 * StudentsT::new(0.0, 1.0, degrees).ok()?.cdf(-t.abs()),
        false => 0.0, // a perfect line
    };
    let interval = (n > 3).then(|| {
        let reach =
            normal_quantile(0.5 + level / 2.0) * (spread(coefficient) / (n as f64 - 3.0)).sqrt();
        // atanh(1) is infinite, and tanh brings that back to 1.
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

/// Pearson's coefficient alone; `None` as for [`pearson`].
pub fn coefficient(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len();
    if n < 3 {
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

/// The place of each value in ascending order, from 1; equal values share the mean of their places.
/// Equal to `scipy.stats.rankdata`.
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

/// The value below which a standard normal variable lies with this probability.
pub(super) fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}
