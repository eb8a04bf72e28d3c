//! Metrics, edge filters and summaries, compared with NumPy, SciPy and matplotlib (`fixtures/score/make.py`).

use std::sync::LazyLock;

use ndarray::{Array2, Array3, array};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use xai_core::image::filters;
use xai_core::lesions::PrecisionAsPublished;
use xai_core::lesions::making::{Defect, Defects};
use xai_core::metrics::{Metric, Precision, combine};
use xai_core::statistics::{BoxSummary, bootstrap_mean, mean, quantile};

#[derive(Deserialize)]
struct Fixture {
    precision: Vec<PrecisionCase>,
    filters: FilterCase,
    boxes: Vec<BoxCase>,
    bootstrap: BootstrapCase,
}

#[derive(Deserialize)]
struct PrecisionCase {
    name: String,
    map: Vec<Vec<f32>>,
    truth: Vec<Vec<bool>>,
    precision: Option<f64>,
    as_published: Option<f64>,
}

#[derive(Deserialize)]
struct FilterCase {
    image: Vec<Vec<f32>>,
    sobel: Vec<Vec<f32>>,
    laplace: Vec<Vec<f32>>,
    sobel_as_published: Vec<Vec<f32>>,
    laplace_as_published: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct BoxCase {
    name: String,
    values: Vec<f64>,
    mean: f64,
    decile: f64,
    #[serde(rename = "box")]
    five: FiveNumbers,
}

#[derive(Deserialize)]
struct FiveNumbers {
    median: f64,
    lower_quartile: f64,
    upper_quartile: f64,
    lower_whisker: f64,
    upper_whisker: f64,
}

#[derive(Deserialize)]
struct BootstrapCase {
    values: Vec<f64>,
    low: f64,
    high: f64,
}

static FIXTURE: LazyLock<Fixture> =
    LazyLock::new(|| json(include_str!("../../fixtures/score/score.json")));

fn json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the fixture is as make.py writes it")
}

fn grid<T: Clone>(rows: &[Vec<T>]) -> Array2<T> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat())
        .expect("rows are equally long")
}

#[test]
fn precision_is_numpys_with_a_stable_sort() {
    assert_eq!(FIXTURE.precision.len(), 10);
    for case in &FIXTURE.precision {
        let score = Precision
            .score(grid(&case.map).view(), grid(&case.truth).view())
            .unwrap();
        assert_eq!(score, case.precision, "{}", case.name);
        let score = PrecisionAsPublished
            .score(grid(&case.map).view(), grid(&case.truth).view())
            .unwrap();
        assert_eq!(score, case.as_published, "{} as published", case.name);
    }
}

#[test]
fn precision_by_hand() {
    let map = array![[0.9, 0.1, 0.8], [0.2, 0.0, 0.7]];
    let truth = array![[true, false, false], [true, false, true]];
    // The top three are 0.9, 0.8 and 0.7, of which two lie in the truth.
    assert_eq!(
        Precision.score(map.view(), truth.view()).unwrap(),
        Some(2.0 / 3.0)
    );
    assert_eq!(Precision.chance(truth.view()), Some(0.5));
    assert_eq!(Precision.chance(truth.mapv(|_| false).view()), None);
}

#[test]
fn chance_is_the_mean_precision_of_all_shifts_of_a_ranking() {
    // Over all cyclic shifts every pixel has every rank equally often, as under random ranks.
    let truth = Array2::from_shape_fn((20, 20), |(y, x)| y < 6 && x < 10);
    let scores: Vec<f64> = (0..400)
        .map(|shift| {
            let map = Array2::from_shape_fn((20, 20), |(y, x)| ((20 * y + x + shift) % 400) as f32);
            Precision.score(map.view(), truth.view()).unwrap().unwrap()
        })
        .collect();
    let chance = Precision.chance(truth.view()).unwrap();
    assert_eq!(chance, 0.15);
    assert!((mean(&scores).unwrap() - chance).abs() < 1e-12);
}

#[test]
fn maps_without_a_ranking_are_refused() {
    let truth = array![[true, false]];
    for bad in [f32::NAN, f32::INFINITY] {
        let error = Precision
            .score(array![[0.0, bad]].view(), truth.view())
            .unwrap_err();
        assert!(error.to_string().contains("row 0, column 1"), "{error}");
    }
    let error = Precision
        .score(array![[0.0], [1.0]].view(), truth.view())
        .unwrap_err();
    assert!(error.to_string().contains("(2, 1)"), "{error}");
}

#[test]
fn channels_combine_by_the_papers_weights() {
    let three = Array3::from_shape_vec((3, 1, 2), vec![1.0, -2.0, -1.0, 0.0, 1.0, 10.0]).unwrap();
    let map = combine(three.view()).unwrap();
    assert_close(&map, &array![[0.9999, 2.0 * 0.2989 + 1.14]], 1e-6);

    let one = Array3::from_shape_vec((1, 1, 2), vec![-0.5, 0.25]).unwrap();
    assert_eq!(combine(one.view()).unwrap(), array![[0.5, 0.25]]);

    let error = combine(Array3::zeros((2, 4, 4)).view()).unwrap_err();
    assert!(error.to_string().contains("2 channels"), "{error}");
}

#[test]
fn filters_are_scipys() {
    let case = &FIXTURE.filters;
    let image = grid(&case.image);
    assert_close(&filters::sobel(image.view()), &grid(&case.sobel), 1e-6);
    assert_close(&filters::laplace(image.view()), &grid(&case.laplace), 1e-6);
    assert_eq!(filters::intensity(image.view()), image);
    assert_eq!(filters::sobel(Array2::zeros((0, 3)).view()).dim(), (0, 3));
}

#[test]
fn the_published_baselines_are_scipys_on_three_equal_channels() {
    let case = &FIXTURE.filters;
    let image = grid(&case.image);
    let (sobel, laplace) = (
        // Smoothing over the three channels multiplies by 4.
        grid(&case.sobel_as_published) / 4.0,
        grid(&case.laplace_as_published),
    );
    let maps = |set: Defects| -> Vec<(&str, Array2<f32>)> {
        let baselines = xai_core::lesions::making::baselines(set).into_iter();
        baselines
            .map(|(name, filter)| (name, filter(image.view())))
            .collect()
    };
    let d5 = maps(Defects::NONE.with(Defect::SignedFilters));
    assert_eq!(
        d5.iter().map(|map| map.0).collect::<Vec<_>>(),
        ["sobel", "laplace", "intensity"]
    );
    assert_close(&d5[0].1, &sobel, 1e-6);
    assert_close(&d5[1].1, &laplace, 1e-6);
    let all = maps(Defects::ALL);
    assert_eq!(
        all.iter().map(|map| map.0).collect::<Vec<_>>(),
        ["sobel", "laplace"]
    );
    assert_eq!(all[0].1, all[1].1);
    let none = maps(Defects::NONE);
    assert_eq!(none[0].1, filters::sobel(image.view()));
    assert_eq!(none[1].1, filters::laplace(image.view()));
}

fn assert_close(ours: &Array2<f32>, theirs: &Array2<f32>, tolerance: f32) {
    assert_eq!(ours.dim(), theirs.dim());
    for ((place, a), b) in ours.indexed_iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance, "{place:?}: {a} is not {b}");
    }
}

#[test]
fn boxes_are_matplotlibs() {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
    for case in &FIXTURE.boxes {
        let ours = BoxSummary::of(&case.values).unwrap();
        let mut ascending = case.values.clone();
        ascending.sort_by(f64::total_cmp);
        for (ours, theirs) in [
            (ours.median, case.five.median),
            (ours.lower_quartile, case.five.lower_quartile),
            (ours.upper_quartile, case.five.upper_quartile),
            (ours.lower_whisker, case.five.lower_whisker),
            (ours.upper_whisker, case.five.upper_whisker),
            (mean(&case.values).unwrap(), case.mean),
            (quantile(&ascending, 0.1).unwrap(), case.decile),
        ] {
            assert!(close(ours, theirs), "{}: {ours} is not {theirs}", case.name);
        }
    }
    assert_eq!(BoxSummary::of(&[]), None);
    assert_eq!((mean(&[]), quantile(&[], 0.5)), (None, None));
}

#[test]
fn the_interval_is_scipys_where_every_image_has_one_value() {
    let case = &FIXTURE.bootstrap;
    let values: Vec<(u32, f64)> = (0..).zip(case.values.iter().copied()).collect();
    let ours = bootstrap_mean(&values, 0.95, 0).unwrap();
    // Two independent bootstraps: their ends differ by a few standard errors of 2 % of the width.
    let slack = 0.08 * (case.high - case.low);
    assert!(
        (ours.low - case.low).abs() < slack && (ours.high - case.high).abs() < slack,
        "{ours:?}"
    );
    assert_eq!(
        bootstrap_mean(&values, 0.95, 0),
        Some(ours),
        "same seed, same interval"
    );
    assert_ne!(bootstrap_mean(&values, 0.95, 1), Some(ours));
}

#[test]
fn seeds_of_one_image_do_not_narrow_the_interval() {
    let once: Vec<(u32, f64)> = (0..)
        .zip(FIXTURE.bootstrap.values.iter().copied())
        .collect();
    let thrice = [once.clone(), once.clone(), once.clone()].concat();
    let (a, b) = (
        bootstrap_mean(&once, 0.95, 0).unwrap(),
        bootstrap_mean(&thrice, 0.95, 0).unwrap(),
    );
    assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12);
    // Without the images' numbers, as 360 independent values, it would be narrower by sqrt(3).
    let apart: Vec<(u32, f64)> = (0..).zip(thrice.iter().map(|&(_, value)| value)).collect();
    let c = bootstrap_mean(&apart, 0.95, 0).unwrap();
    let ratio = (a.high - a.low) / (c.high - c.low);
    assert!((ratio - 3f64.sqrt()).abs() < 0.2, "{ratio}");
    // The range of fewer than five images is too narrow for an interval, however many values they have.
    for images in 0..5 {
        let few: Vec<(u32, f64)> = thrice
            .iter()
            .copied()
            .filter(|&(image, _)| image < images)
            .collect();
        assert_eq!(bootstrap_mean(&few, 0.95, 0), None, "{images} images");
    }
    assert!(bootstrap_mean(&once[..5], 0.95, 0).is_some());
}
