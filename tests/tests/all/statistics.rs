//! Statistics, compared with SciPy, statsmodels and scikit-learn (`fixtures/statistics/make.py`). Intervals are also
//! compared with their nominal coverage.

use std::sync::LazyLock;

use ndarray::{Array2, array};
use rand::Rng;
use serde::Deserialize;
use xai_core::random::stream;
use xai_core::statistics::{
    Confusion, Correlation, Interval, LeastSquares, Observation, Share, Test, areas,
    bootstrap_clusters, bootstrap_difference, effects, holm, kendall, mean, paired_t, pearson,
    ranks, spearman, wilcoxon,
};

#[derive(Deserialize)]
struct Fixture {
    correlations: Vec<CorrelationCase>,
    paired: Vec<PairedCase>,
    holm: HolmCase,
    ancova: AncovaCase,
    least_squares: LeastSquaresCase,
    classification: ClassificationCase,
    classes: ClassesCase,
    wilson: Vec<(usize, usize, f64, f64)>,
}

#[derive(Deserialize)]
struct CorrelationCase {
    name: String,
    pairs: Vec<(f64, f64)>,
    ranks: Vec<f64>,
    pearson: (f64, f64),
    spearman: (f64, f64),
    kendall: f64,
    pearson_interval: Option<(f64, f64)>,
    spearman_interval: Option<(f64, f64)>,
}

#[derive(Deserialize)]
struct PairedCase {
    name: String,
    differences: Vec<f64>,
    t: (f64, f64),
    wilcoxon: (f64, f64),
}

#[derive(Deserialize)]
struct HolmCase {
    p: Vec<f64>,
    corrected: Vec<f64>,
}

#[derive(Deserialize)]
struct AncovaCase {
    observations: Vec<(f64, f64, f64, f64)>,
    adjusted: Vec<f64>,
    intervals: Vec<(f64, f64)>,
    adjusted_r_squared: f64,
    plain: Vec<f64>,
    plain_r_squared: f64,
}

#[derive(Deserialize)]
struct LeastSquaresCase {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    coefficients: Vec<f64>,
    errors: Vec<f64>,
    p: Vec<f64>,
    r_squared: f64,
}

#[derive(Deserialize)]
struct ClassificationCase {
    class: Vec<u8>,
    probability: Vec<f64>,
    predicted: Vec<u8>,
    confusion: [usize; 4],
    auroc: f64,
    auprc: f64,
}

#[derive(Deserialize)]
struct ClassesCase {
    class: Vec<u8>,
    probabilities: Vec<Vec<f64>>,
    predicted: Vec<u8>,
    confusion: Vec<Vec<usize>>,
    accuracy: f64,
    sensitivity: f64,
    sensitivities: Vec<f64>,
    specificity: f64,
    auroc: f64,
    auprc: f64,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../fixtures/statistics/statistics.json")).unwrap()
});

#[track_caller]
fn close(ours: f64, theirs: f64, what: &str) {
    let off = (ours - theirs).abs();
    assert!(
        off < 1e-9 * theirs.abs().max(1e-3),
        "{what}: {ours}, {theirs}"
    );
}

#[test]
fn correlations_are_scipys() {
    for case in &FIXTURE.correlations {
        let check = |ours: Correlation, (r, p): (f64, f64), interval: Option<(f64, f64)>| {
            close(ours.coefficient, r, &case.name);
            close(ours.p_value, p, &case.name);
            assert_eq!(ours.n, case.pairs.len());
            match (ours.interval, interval) {
                (Some(Interval { low, high }), Some(theirs)) => {
                    close(low, theirs.0, &case.name);
                    close(high, theirs.1, &case.name);
                }
                (None, None) => {}
                other => panic!("{}: {other:?}", case.name),
            }
        };
        check(
            pearson(&case.pairs, 0.95).unwrap(),
            case.pearson,
            case.pearson_interval,
        );
        check(
            spearman(&case.pairs, 0.95).unwrap(),
            case.spearman,
            case.spearman_interval,
        );
        close(kendall(&case.pairs).unwrap(), case.kendall, &case.name);
        let x: Vec<f64> = case.pairs.iter().map(|pair| pair.0).collect();
        assert_eq!(ranks(&x), case.ranks, "{}", case.name);
    }
}

#[test]
fn a_correlation_needs_three_pairs_that_vary() {
    assert_eq!(pearson(&[(0.0, 1.0), (1.0, 2.0)], 0.95), None);
    assert_eq!(pearson(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)], 0.95), None);
    assert_eq!(kendall(&[(0.0, 1.0), (1.0, 1.0)]), None);
    // The mean of three times 0.1 is not 0.1 in 64 bits.
    let constant = [(1.0, 0.1), (2.0, 0.1), (3.0, 0.1)];
    let exchanged = constant.map(|(x, y)| (y, x));
    for pairs in [constant, exchanged] {
        assert_eq!(pearson(&pairs, 0.95), None);
        assert_eq!(spearman(&pairs, 0.95), None);
    }
    assert_eq!(kendall(&[(0.0, 1.0), (1.0, 0.0)]), Some(-1.0));
    let line: Vec<(f64, f64)> = (0..5).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
    let perfect = pearson(&line, 0.95).unwrap();
    assert_eq!((perfect.coefficient, perfect.p_value), (1.0, 0.0));
    assert_eq!(
        perfect.interval,
        Some(Interval {
            low: 1.0,
            high: 1.0
        })
    );
}

/// NaN, such as the accuracy of a regression, is no large or small number. SciPy's result is NaN as well.
#[test]
fn nan_has_no_test_and_no_correlation() {
    let (numbers, others) = (
        [0.5, -1.0, 2.0, 3.0, 0.25, 1.5],
        [1.0, 0.0, 2.5, 2.0, 0.5, 3.0],
    );
    for at in 0..numbers.len() {
        for nan in [f64::NAN, -f64::NAN] {
            let mut spoilt = numbers;
            spoilt[at] = nan;
            assert_eq!((wilcoxon(&spoilt), paired_t(&spoilt)), (None, None));
            let pairs: Vec<(f64, f64)> = spoilt.into_iter().zip(others).collect();
            let turned: Vec<(f64, f64)> = pairs.iter().map(|&(a, b)| (b, a)).collect();
            for pairs in [pairs, turned] {
                assert_eq!(
                    (spearman(&pairs, 0.95), pearson(&pairs, 0.95)),
                    (None, None)
                );
                assert_eq!(kendall(&pairs), None);
            }
        }
    }
    // Infinite numbers have ranks, but no mean.
    let infinite = [f64::INFINITY, 1.0, -0.5, 2.0];
    assert_eq!(wilcoxon(&infinite), wilcoxon(&[9.0, 1.0, -0.5, 2.0]));
    assert_eq!(paired_t(&infinite), None);
}

#[test]
fn paired_tests_are_scipys() {
    for case in &FIXTURE.paired {
        let check = |ours: Test, (statistic, p): (f64, f64)| {
            close(ours.statistic, statistic, &case.name);
            close(ours.p_value, p, &case.name);
        };
        check(paired_t(&case.differences).unwrap(), case.t);
        check(wilcoxon(&case.differences).unwrap(), case.wilcoxon);
    }
    // The least that six differences can say.
    assert_eq!(
        wilcoxon(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap().p_value,
        2.0 / 64.0
    );
    assert_eq!(wilcoxon(&[0.0, 0.0]), None);
    assert_eq!(paired_t(&[0.5]), None);
    assert_eq!(paired_t(&[0.5, 0.5]), None);
    assert_eq!(paired_t(&[0.1; 3]), None);
    let ours = holm(&FIXTURE.holm.p);
    for (ours, theirs) in ours.iter().zip(&FIXTURE.holm.corrected) {
        close(*ours, *theirs, "holm");
    }
}

#[test]
fn linear_models_are_statsmodels() {
    let case = &FIXTURE.least_squares;
    let fit = LeastSquares::fit(&case.x, &case.y).unwrap();
    for column in 0..case.coefficients.len() {
        close(
            fit.coefficients[column],
            case.coefficients[column],
            "coefficient",
        );
        close(
            fit.standard_errors[column],
            case.errors[column],
            "standard error",
        );
        close(fit.p_value(column), case.p[column], "p value");
    }
    close(fit.r_squared, case.r_squared, "R squared");
    // A column that is twice another one has no coefficient of its own.
    let twice = |row: &Vec<f64>| [&row[..], &[2.0 * row[1]]].concat();
    let dependent: Vec<Vec<f64>> = case.x.iter().map(twice).collect();
    assert_eq!(LeastSquares::fit(&dependent, &case.y), None);
    assert_eq!(LeastSquares::fit(&case.x[..4], &case.y[..4]), None);
}

#[test]
fn effects_with_and_without_the_covariate_are_statsmodels() {
    let case = &FIXTURE.ancova;
    let observations: Vec<Observation> = case
        .observations
        .iter()
        .enumerate()
        .map(
            |(cluster, &(value, covariate, corpus, depth))| Observation {
                value,
                covariate,
                levels: vec![corpus as usize, depth as usize],
                cluster,
            },
        )
        .collect();
    let adjusted = effects(&observations, &[2, 3], true, 0.95, 0).unwrap();
    let all: Vec<f64> = adjusted
        .slope
        .iter()
        .chain(adjusted.factors.iter().flatten())
        .map(|effect| effect.estimate)
        .collect();
    assert_eq!(all.len(), 4);
    for (ours, theirs) in all.iter().zip(&case.adjusted) {
        close(*ours, *theirs, "adjusted");
    }
    close(adjusted.r_squared, case.adjusted_r_squared, "R squared");
    // Intervals by resampling are about those of theory; its errors are normal and of one variance here.
    let effects_of = adjusted
        .slope
        .iter()
        .chain(adjusted.factors.iter().flatten());
    for (effect, &(low, high)) in effects_of.zip(&case.intervals) {
        let ours = effect.interval.unwrap();
        let off = (ours.low - low).abs().max((ours.high - high).abs());
        assert!(off < 0.2 * (high - low), "{ours:?}, {low} to {high}");
    }
    let plain = effects(&observations, &[2, 3], false, 0.95, 0).unwrap();
    assert_eq!(plain.slope, None);
    for (ours, theirs) in plain.factors.iter().flatten().zip(&case.plain) {
        close(ours.estimate, *theirs, "plain");
    }
    close(plain.r_squared, case.plain_r_squared, "R squared");
    // A level that is not there has no effect.
    assert_eq!(effects(&observations, &[2, 4], true, 0.95, 0), None);
}

#[test]
fn classifications_are_scikit_learns() {
    let case = &FIXTURE.classification;
    let counts = Confusion::of(&case.class, &case.predicted, 2).unwrap();
    let [tp, fn_, tn, fp] = case.confusion;
    assert_eq!(counts.counts, array![[tn, fp], [fn_, tp]]);
    assert_eq!(counts.sensitivity_of(1), Share::of(tp, tp + fn_));
    assert_eq!(counts.specificity_of(1), Share::of(tn, tn + fp));
    assert_eq!(counts.sensitivity(), Some(tp as f64 / (tp + fn_) as f64));
    assert_eq!(counts.specificity(), Some(tn as f64 / (tn + fp) as f64));
    assert_eq!(counts.accuracy(), Share::of(tp + tn, case.class.len()));
    let two = |positive: &[f64]| {
        Array2::from_shape_fn((positive.len(), 2), |(image, class)| match class {
            0 => 1.0 - positive[image],
            _ => positive[image],
        })
    };
    let areas = |class: &[u8], positive: &[f64]| areas(class, two(positive).view());
    let [auroc, auprc] = areas(&case.class, &case.probability).unwrap().unwrap();
    close(auroc, case.auroc, "AUROC");
    close(auprc, case.auprc, "AUPRC");
    let sure = [1.0 - 1e-12, 1.0 - 2e-12]; // equal in 32 bits
    assert_eq!(areas(&[1, 0], &sure).unwrap(), Some([1.0, 1.0]));
    assert_eq!(areas(&[1, 1], &[0.2, 0.3]).unwrap(), None);
    assert!(areas(&[1, 0], &[0.2]).is_err());
    assert!(areas(&[1, 0], &[0.2, f64::NAN]).is_err());
    // The logarithms of probabilities, of which one is 0, give the same order.
    let plain = two(&[1.0, 0.5, 0.75, 0.25]);
    let logarithms = plain.mapv(f64::ln);
    let of = |outputs: &Array2<f64>| xai_core::statistics::areas(&[1, 0, 0, 1], outputs.view());
    assert!(logarithms.iter().any(|&value| value == f64::NEG_INFINITY));
    assert_eq!(of(&logarithms).unwrap(), of(&plain).unwrap());
    assert!(of(&-logarithms).is_err(), "infinity is no probability");
    assert!(Confusion::of(&[0, 2], &[0, 0], 2).is_err());
    assert!(Confusion::of(&[0], &[0, 0], 2).is_err());
    let one_sided = Confusion::of(&[0, 0], &[0, 1], 2).unwrap();
    assert_eq!(one_sided.sensitivity(), None);
    for &(part, whole, low, high) in &FIXTURE.wilson {
        let ours = Share::of(part, whole).unwrap().interval(0.95);
        close(ours.low, low, "Wilson");
        close(ours.high, high, "Wilson");
    }
}

#[test]
fn classifications_of_several_classes_are_scikit_learns() {
    let case = &FIXTURE.classes;
    let grid = |rows: &[Vec<f64>]| {
        Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
    };
    let counts = Confusion::of(&case.class, &case.predicted, 4).unwrap();
    let rows = counts.counts.outer_iter().map(|row| row.to_vec());
    assert_eq!(rows.collect::<Vec<_>>(), case.confusion);
    close(
        counts.accuracy().unwrap().value(),
        case.accuracy,
        "accuracy",
    );
    close(
        counts.sensitivity().unwrap(),
        case.sensitivity,
        "sensitivity",
    );
    close(
        counts.specificity().unwrap(),
        case.specificity,
        "specificity",
    );
    for (class, &theirs) in case.sensitivities.iter().enumerate() {
        let ours = counts.sensitivity_of(class).unwrap().value();
        close(ours, theirs, "sensitivity of a class");
    }
    let [auroc, auprc] = areas(&case.class, grid(&case.probabilities).view())
        .unwrap()
        .unwrap();
    close(auroc, case.auroc, "AUROC");
    close(auprc, case.auprc, "AUPRC");
}

/// Means of clusters whose truth is known: a 95 % interval holds it in about 95 % of the cases, also
/// with few clusters, and whether or not a cluster has several alike observations.
#[test]
fn clustered_intervals_hold_the_truth_as_often_as_they_say() {
    let mut random = stream(0, "coverage");
    let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    for (clusters, least, most) in [(5, 0.90, 0.99), (10, 0.92, 0.98), (30, 0.925, 0.975)] {
        let cases = 400;
        let held = (0..cases)
            .filter(|&case| {
                let values: Vec<[f64; 3]> = (0..clusters)
                    .map(|_| {
                        let cluster = normal();
                        [0; 3].map(|_| cluster + 0.1 * normal())
                    })
                    .collect();
                let intervals = bootstrap_clusters(clusters, 0.95, case, |drawn| {
                    let all: Vec<f64> = drawn.iter().flat_map(|&c| values[c]).collect();
                    Some(vec![mean(&all)?])
                });
                let Interval { low, high } = intervals.unwrap()[0];
                low <= 0.0 && 0.0 <= high
            })
            .count();
        let share = held as f64 / cases as f64;
        assert!(
            (least..=most).contains(&share),
            "{clusters} clusters: {share}"
        );
    }
    assert_eq!(bootstrap_clusters(4, 0.95, 0, |_| Some(vec![1.0])), None);
    assert_eq!(bootstrap_clusters(9, 0.95, 0, |_| None), None);
}

/// The interval of a difference of two independent samples is about that of Welch's normal approximation.
#[test]
fn the_difference_of_two_samples() {
    let sample = |count: usize, shift: f64, spread: f64| -> Vec<f64> {
        // Quantiles of a logistic distribution, in order.
        let at = |i: usize| (i as f64 + 0.5) / count as f64;
        (0..count)
            .map(|i| shift + spread * (at(i) / (1.0 - at(i))).ln())
            .collect()
    };
    let (here, there) = (sample(400, 1.0, 0.5), sample(150, 0.2, 1.0));
    let interval = bootstrap_difference(&here, &there, 0.95, 3).unwrap();
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / values.len() as f64 / values.len() as f64)
    };
    let ((a, of_a), (b, of_b)) = (moments(&here), moments(&there));
    let reach = 1.959964 * (of_a + of_b).sqrt();
    let expected = [a - b - reach, a - b + reach];
    for (found, expected) in [interval.low, interval.high].into_iter().zip(expected) {
        // The ends of a bootstrap of 1000 draws have a standard error of about 2 % of its width.
        assert!(
            (found - expected).abs() < 0.12 * reach,
            "{found} {expected}"
        );
    }
    assert!(bootstrap_difference(&here, &there[..4], 0.95, 3).is_none());
    assert!(bootstrap_difference(&here[..4], &there, 0.95, 3).is_none());
    assert!(bootstrap_difference(&here[..5], &there[..5], 0.95, 3).is_some());
}
