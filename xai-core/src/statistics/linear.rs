//! Linear models: the effects of factors, adjusted for a covariate.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, bootstrap_clusters};

/// A linear model fitted by least squares.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastSquares {
    /// One per column of the design.
    pub coefficients: Vec<f64>,
    /// The standard errors of the coefficients, for independent errors with equal variance.
    pub standard_errors: Vec<f64>,
    /// The share of the variance that the model explains.
    pub r_squared: f64,
    /// The number of observations minus the number of coefficients.
    pub degrees: usize,
}

impl LeastSquares {
    /// Fits `y` by the columns of `design`, with one row per observation. A column of ones is the
    /// intercept. Equal to `statsmodels.api.OLS`. `None` if the columns depend on each other, or if
    /// there are not more rows than columns.
    pub fn fit(design: &[Vec<f64>], y: &[f64]) -> Option<Self> {
        let (rows, columns) = (design.len(), design.first()?.len());
        let degrees = rows.checked_sub(columns).filter(|&degrees| degrees > 0)?;
        let x = DMatrix::from_fn(rows, columns, |row, column| design[row][column]);
        let y = DVector::from_column_slice(y);
        let decomposed = x.clone().svd(true, true);
        let values = &decomposed.singular_values;
        let smallest = values.max() * f64::EPSILON * rows as f64 * 10.0;
        if values.iter().any(|value| *value <= smallest) {
            return None;
        }
        let coefficients = decomposed.solve(&y, smallest).ok()?;
        let residual = (&x * &coefficients - &y).norm_squared();
        let total = y.add_scalar(-y.mean()).norm_squared();
        // (X'X)^-1 = V / s^2 V'
        let turned = decomposed.v_t.as_ref()?;
        let variance = residual / degrees as f64;
        let error = |column: usize| {
            let parts = turned.column(column);
            let sum: f64 = parts.iter().zip(values).map(|(v, s)| (v / s).powi(2)).sum();
            (variance * sum).sqrt()
        };
        Some(Self {
            standard_errors: (0..columns).map(error).collect(),
            coefficients: coefficients.iter().copied().collect(),
            r_squared: 1.0 - residual / total,
            degrees,
        })
    }

    /// The two-sided p value for the hypothesis that a coefficient is zero.
    pub fn p_value(&self, column: usize) -> f64 {
        let t = self.coefficients[column] / self.standard_errors[column];
        let t_distribution = StudentsT::new(0.0, 1.0, self.degrees as f64);
        t_distribution.map_or(f64::NAN, |t_of| 2.0 * t_of.cdf(-t.abs()))
    }
}

/// One observation: the outcome of one combination of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The outcome, e.g. the mean precision of a network's explanations.
    pub value: f64,
    /// The covariate to adjust for, e.g. the network's accuracy.
    pub covariate: f64,
    /// The index of the level of each factor.
    pub levels: Vec<usize>,
    /// The cluster. Observations of one cluster (one network) are not independent.
    pub cluster: usize,
}

/// The effects of factors on an outcome; see [`effects`].
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// The effect of one unit of the covariate, if it is in the model.
    pub slope: Option<Effect>,
    /// For each factor: the effect of each level except the first, compared with the first.
    pub factors: Vec<Vec<Effect>>,
    /// The share of the variance that the model explains.
    pub r_squared: f64,
}

/// A coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The estimate.
    pub estimate: f64,
    /// Its confidence interval by [`bootstrap_clusters`]. `None` for too few clusters.
    pub interval: Option<Interval>,
}

/// Analysis of covariance: the effects of factors with these numbers of `levels`, with or without
/// ("unadjusted") the covariate in the model. `None` if the design cannot separate them.
///
/// The model is `value = intercept + slope * covariate + one effect per factor`: the effects of
/// factors add up, and the slope is the same at all levels. An adjusted effect is the remaining
/// difference between two levels at equal covariate. It is an extrapolation if the levels'
/// covariates do not overlap. Intervals resample whole clusters with replacement.
pub fn effects(
    observations: &[Observation],
    levels: &[usize],
    adjusted: bool,
    level: f64,
    seed: u64,
) -> Option<Effects> {
    let model = fit(observations.iter(), levels, adjusted)?;
    let clusters = clusters(observations);
    let intervals = bootstrap_clusters(clusters.len(), level, seed, |drawn| {
        let rows = drawn.iter().flat_map(|&cluster| &clusters[cluster]);
        Some(fit(rows.copied(), levels, adjusted)?.coefficients)
    });
    let effect = |column: usize| Effect {
        estimate: model.coefficients[column],
        interval: intervals.as_ref().map(|all| all[column]),
    };
    let mut next = 1 + usize::from(adjusted);
    let factors = levels.iter().map(|levels| {
        let columns = next..next + levels - 1;
        next = columns.end;
        columns.map(effect).collect()
    });
    Some(Effects {
        slope: adjusted.then(|| effect(1)),
        factors: factors.collect(),
        r_squared: model.r_squared,
    })
}

/// The observations of each cluster.
fn clusters(observations: &[Observation]) -> Vec<Vec<&Observation>> {
    let mut clusters = std::collections::BTreeMap::<usize, Vec<&Observation>>::new();
    for one in observations {
        clusters.entry(one.cluster).or_default().push(one);
    }
    clusters.into_values().collect()
}

fn fit<'a>(
    observations: impl Iterator<Item = &'a Observation>,
    levels: &[usize],
    adjusted: bool,
) -> Option<LeastSquares> {
    let (mut design, mut values) = (Vec::new(), Vec::new());
    for one in observations {
        let mut row = vec![1.0];
        row.extend(adjusted.then_some(one.covariate));
        for (&level, &count) in one.levels.iter().zip(levels) {
            row.extend((1..count).map(|other| f64::from(u8::from(level == other))));
        }
        design.push(row);
        values.push(one.value);
    }
    LeastSquares::fit(&design, &values)
}
