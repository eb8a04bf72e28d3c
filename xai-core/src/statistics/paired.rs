//! Tests of paired differences, and corrections for multiple tests.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{mean, ranks};

/// A test of whether paired differences are centred on zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Student's t, or the smaller of the two sums of ranks.
    pub statistic: f64,
    /// Two-sided.
    pub p_value: f64,
    /// The number of differences that count.
    pub n: usize,
}

/// Student's paired t test. The differences must be independent and about normally distributed.
/// `None` for fewer than two, if all are equal, or if one is NaN or infinite. Equal to
/// `scipy.stats.ttest_1samp(differences, 0)`.
///
/// Differences of images under one network are not independent samples of networks. Use the mean
/// difference of each network.
pub fn paired_t(differences: &[f64]) -> Option<Test> {
    let n = differences.len();
    let first = differences.first()?;
    // The mean of equal numbers may differ from them by rounding, which would count as variation.
    if differences.iter().all(|difference| difference == first) {
        return None;
    }
    let middle = mean(differences)?;
    let squares: f64 = differences.iter().map(|d| (d - middle).powi(2)).sum();
    let degrees = n as f64 - 1.0;
    let error = (squares / degrees / n as f64).sqrt();
    if !(error > 0.0 && error.is_finite()) {
        return None;
    }
    let statistic = middle / error;
    let p_value = 2.0
        * StudentsT::new(0.0, 1.0, degrees)
            .ok()?
            .cdf(-statistic.abs());
    Some(Test {
        statistic,
        p_value,
        n,
    })
}

/// With more differences, the normal approximation is as good, and the exact distribution is slow.
const EXACT: usize = 100;

/// Wilcoxon's signed-rank test. The differences must be independent and symmetrically distributed.
/// Zeros are left out, and ties share their ranks. `None` if nothing is left, or if one is NaN, as the accuracy of a
/// regression is.
///
/// Up to 100 differences, the p value is exact, with ties too: all ways to assign signs to the
/// ranks are counted. Beyond that, it uses the normal approximation with ties in its variance.
/// Equal to `scipy.stats.wilcoxon`. With n differences, no p value is below `2 / 2^n`: six networks
/// give at best 0.03.
pub fn wilcoxon(differences: &[f64]) -> Option<Test> {
    let kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = kept.len();
    if n == 0 || kept.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let ranks = ranks(&kept.iter().map(|d| d.abs()).collect::<Vec<_>>());
    let positive: f64 = ranks
        .iter()
        .zip(&kept)
        .filter(|(_, difference)| **difference > 0.0)
        .map(|(rank, _)| rank)
        .sum();
    let all: f64 = ranks.iter().sum();
    let statistic = positive.min(all - positive);
    let p_value = if n <= EXACT {
        2.0 * at_most(statistic, &ranks)
    } else {
        // With shared ranks, the sum of squares is the variance reduced by the ties.
        let variance = ranks.iter().map(|rank| rank * rank).sum::<f64>() / 4.0;
        2.0 * Normal::standard().cdf((statistic - all / 2.0) / variance.sqrt())
    };
    Some(Test {
        statistic,
        p_value: p_value.min(1.0),
        n,
    })
}

/// The probability that the positive ranks, with random signs, sum to at most `limit`.
fn at_most(limit: f64, ranks: &[f64]) -> f64 {
    // Shared ranks are halves, so twice their value is an integer.
    let doubled = ranks.iter().map(|rank| (2.0 * rank).round() as usize);
    let total: usize = doubled.clone().sum();
    let mut ways = vec![0.0; total + 1];
    ways[0] = 1.0;
    for rank in doubled {
        for sum in (rank..=total).rev() {
            ways[sum] += ways[sum - rank];
        }
        // Probabilities instead of counts, which would overflow.
        ways.iter_mut().for_each(|way| *way /= 2.0);
    }
    let limit = (2.0 * limit).round() as usize;
    ways[..=limit].iter().sum()
}

/// P values corrected for their number by Holm's method (1979), in the given order. The probability
/// of any false positive among all of them stays below the level at which they are read. Equal to
/// `statsmodels.stats.multitest.multipletests(p, method="holm")`.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (smaller, at) in order.into_iter().enumerate() {
        let factor = (p_values.len() - smaller) as f64;
        largest = largest.max((factor * p_values[at]).min(1.0));
        corrected[at] = largest;
    }
    corrected
}
