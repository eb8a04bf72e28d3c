//! Every metric, compared with scikit-learn, POT, Quantus and NumPy (`fixtures/score/metrics.py`), and with properties
//! that follow from the definitions: the ground truth itself is the best map, and the chance level is the mean over random
//! maps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, Array3, Array4, ArrayView2, Axis, array, stack};
use serde::Deserialize;
use xai_core::Result;
use xai_core::attribution::{
    Deconvolution, Images, InputXGradient, Intensity, NoModel, Panel, Saliency,
};
use xai_core::device::{DeviceChoice, Tensor};
use xai_core::metrics::{
    Auprc, Auroc, Channels, Combine, Count, Emd, EmdFalseNegativeInvariant, EmdTopK, Metric, NAMES,
    Precision, Sign, TopKIntersection, named,
};
use xai_core::network::{Layer, Linear, Network};

#[derive(Deserialize)]
struct Case {
    name: String,
    map: Vec<Vec<f32>>,
    truth: Vec<Vec<u8>>,
    scores: HashMap<String, f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../fixtures/score/metrics.json")).unwrap()
}

fn grid<T: Clone>(rows: &[Vec<T>]) -> Array2<T> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// The metrics by name, with a k that suits small maps.
fn metric(name: &str) -> Box<dyn Metric> {
    match name {
        "top_k_intersection" => Box::new(TopKIntersection { k: 10 }),
        _ => named(name).unwrap(),
    }
}

fn score(name: &str, map: &Array2<f32>, truth: &Array2<bool>) -> Option<f64> {
    metric(name).score(map.view(), truth.view()).unwrap()
}

#[test]
fn metrics_are_those_of_scikit_learn_pot_and_quantus() {
    let mut compared: HashMap<&str, usize> = HashMap::new();
    for case in cases() {
        let (map, truth) = (grid(&case.map), grid(&case.truth).mapv(|value| value > 0));
        for name in NAMES {
            let Some(expected) = case.scores.get(name) else {
                continue;
            };
            let found = score(name, &map, &truth).unwrap();
            assert!(
                (found - expected).abs() < 1e-9,
                "{name}, {}: {found}, not {expected}",
                case.name
            );
            *compared.entry(name).or_default() += 1;
        }
    }
    // Of 19 cases one has no truth, one has no other pixels.
    assert_eq!(compared["true_positives"], 19);
    assert_eq!(
        (
            compared["precision"],
            compared["emd_top_k"],
            compared["auprc"]
        ),
        (18, 18, 18)
    );
    assert_eq!((compared["auroc"], compared["emd"]), (16, 16));
    assert_eq!(compared["relevance_mass_accuracy"], 16);
    assert_eq!(compared["precision_without_zeros"], 18);
    assert_eq!(compared["emd_false_negative_invariant"], 16);
    for name in [
        "relevance_rank_accuracy",
        "pointing_game",
        "top_k_intersection",
    ] {
        assert!(compared[name] >= 6, "{name}: {}", compared[name]);
    }
}

/// Quantus refuses a k that is not below the number of pixels. All maps would have the score |truth| / pixels.
#[test]
fn the_top_k_of_a_map_of_k_pixels_has_no_score() {
    let (map, truth) = (Array2::<f32>::zeros((12, 16)), blocks());
    for (k, defined) in [(191, true), (192, false), (1000, false), (0, false)] {
        let metric = TopKIntersection { k };
        let score = metric.score(map.view(), truth.view()).unwrap();
        assert_eq!(score.is_some(), defined, "{k}");
        assert_eq!(metric.chance(truth.view()).is_some(), defined, "{k}");
    }
}

/// A truth of two blocks, 40 of 192 pixels.
fn blocks() -> Array2<bool> {
    Array2::from_shape_fn((12, 16), |(y, x)| (2..7).contains(&y) && x % 12 < 4)
}

/// Values without ties, by Vigna's splitmix64.
fn noise(seed: u64) -> Array2<f32> {
    let mut state = seed << 32;
    Array2::from_shape_simple_fn((12, 16), || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    })
}

#[test]
fn the_truth_itself_is_the_best_map() {
    let truth = blocks();
    let itself = truth.mapv(|inside| f32::from(u8::from(inside)));
    for name in NAMES {
        let best = match name {
            "true_positives" => 40.0,
            "true_negatives" => 152.0,
            "false_positives" | "false_negatives" => 0.0,
            _ => 1.0,
        };
        let found = score(name, &itself, &truth).unwrap();
        assert!((found - best).abs() < 1e-12, "{name}: {found}");
        let worse = score(name, &noise(0), &truth).unwrap();
        assert!((worse - best).abs() > 0.01, "{name}: noise is as good");
    }
}

#[test]
fn chance_is_the_mean_over_random_maps() {
    const MAPS: u64 = 2000;
    let truth = blocks();
    let maps: Vec<Array2<f32>> = (0..MAPS).map(noise).collect();
    for name in NAMES {
        let scores: Vec<f64> = maps
            .iter()
            .map(|map| score(name, map, &truth).unwrap())
            .collect();
        let mean = scores.iter().sum::<f64>() / MAPS as f64;
        let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / MAPS as f64;
        let chance = metric(name).chance(truth.view()).unwrap();
        match name {
            // The score of a uniform map, which random maps cannot reach on average.
            "emd" | "emd_false_negative_invariant" => {
                assert!(mean < chance && chance < mean + 0.1, "{mean} {chance}")
            }
            // Itself a mean, of 16 draws.
            "emd_top_k" => assert!((mean - chance).abs() < 4.0 * (variance / 16.0).sqrt()),
            _ => {
                let error = (variance / MAPS as f64).sqrt();
                assert!(
                    (mean - chance).abs() < 4.0 * error,
                    "{name}: {mean}, {chance}, {error}"
                );
            }
        }
    }
}

#[test]
fn chance_levels_by_hand() {
    let truth = array![[true, false, false], [true, false, false]];
    let chance = |metric: &dyn Metric| metric.chance(truth.view()).unwrap();
    assert_eq!(chance(&Precision), 1.0 / 3.0);
    assert_eq!(chance(&Count::TruePositives), 4.0 / 6.0);
    assert_eq!(chance(&Count::TrueNegatives), 2.0 + 4.0 / 6.0);
    assert_eq!(chance(&Auroc), 0.5);
    // Ranks (1, 2) .. (5, 6) of the two pixels, equally likely: the mean of (1/a + 2/b) / 2.
    let pairs = (1..=6).flat_map(|b| (1..b).map(move |a| (f64::from(a), f64::from(b))));
    let sum: f64 = pairs.map(|(a, b)| (1.0 / a + 2.0 / b) / 2.0).sum();
    assert!((chance(&Auprc) - sum / 15.0).abs() < 1e-12);
    // A uniform map takes 1/6 of everything from each other pixel to its row's first: ways of 1 and 2, twice.
    assert!((chance(&Emd) - (1.0 - 1.0 / 5f64.sqrt())).abs() < 1e-12);
}

/// What XAI-TRIS and its follow-up print for their two tetrominoes at 8 x 8.
#[test]
fn landmarks_of_xai_tris() {
    let cells = [
        [1, 1],
        [2, 1],
        [2, 2],
        [3, 1],
        [4, 5],
        [5, 5],
        [6, 5],
        [6, 6],
    ];
    let truth = Array2::from_shape_fn((8, 8), |(y, x)| cells.contains(&[y, x]));
    assert!((EmdFalseNegativeInvariant::scale(truth.view()) - 5.84566).abs() < 5e-6);
    let emd = |pixels: &[[usize; 2]]| {
        let mut map = Array2::zeros((8, 8));
        pixels.iter().for_each(|&at| map[at] = 1.0);
        score("emd", &map, &truth).unwrap()
    };
    // As published: divided by sqrt(2 pixels) instead of the longest distance.
    let published = |score: f64| 1.0 - (1.0 - score) * 7.0 / 8.0;
    let uniform = metric("emd").chance(truth.view()).unwrap();
    assert!((published(uniform) - 0.83559).abs() < 5e-6);
    assert!((published(emd(&[[0, 7]])) - 0.48331).abs() < 5e-6);
    assert!((published(emd(&[[0, 7], [7, 0]])) - 0.53895).abs() < 5e-6);
    assert!((emd(&[[0, 7], [7, 0]]) - 0.47309).abs() < 5e-6);
}

/// The scale of the variant without false negatives is the cost of the worst of all pixels outside the truth. The truths here
/// also cover corners, where the worst pixel is not a corner of the image.
#[test]
fn the_worst_pixel_is_the_worst_of_all() {
    for at in 0..40_usize {
        let truth = Array2::from_shape_fn((7, 9), |(y, x)| {
            (y * 5 + x * 3 + at * at).is_multiple_of(3 + at % 5) || (y < at % 4) || (x > 8 - at % 3)
        });
        let inside = || truth.indexed_iter().filter(|(_, inside)| **inside);
        let cost = |y: usize, x: usize| {
            let ways = inside().map(|((ty, tx), _)| {
                let (dy, dx) = (y as f64 - ty as f64, x as f64 - tx as f64);
                (dy * dy + dx * dx).sqrt()
            });
            ways.sum::<f64>() / inside().count() as f64
        };
        let outside = truth.indexed_iter().filter(|(_, inside)| !**inside);
        let worst = outside.map(|((y, x), _)| cost(y, x)).fold(0.0, f64::max);
        let scale = EmdFalseNegativeInvariant::scale(truth.view());
        assert!((scale - worst).abs() < 1e-12, "{truth}: {scale} {worst}");
    }
}

/// Mass moves freely within the truth: any map on it is perfect.
#[test]
fn what_is_not_found_may_be_forgiven() {
    let truth = blocks();
    let mut map = Array2::zeros((12, 16));
    map[[2, 0]] = 1.0;
    assert_eq!(
        score("emd_false_negative_invariant", &map, &truth),
        Some(1.0)
    );
    assert!(score("emd", &map, &truth).unwrap() < 0.8);
}

/// Ranks alone count, except for metrics of mass; a scale changes nothing at all.
#[test]
fn monotone_maps_of_values_do_not_matter_where_ranks_count() {
    let truth = blocks();
    let map = noise(1);
    let scaled = map.mapv(|value| value / 1024.0);
    let bent = map.mapv(|value| (4.0 * value).powi(3) + 2.0);
    for name in NAMES {
        let [plain, scaled, bent] =
            [&map, &scaled, &bent].map(|map| score(name, map, &truth).unwrap());
        assert!((plain - scaled).abs() < 1e-12, "{name}");
        let of_mass = [
            "emd",
            "emd_false_negative_invariant",
            "relevance_mass_accuracy",
        ]
        .contains(&name);
        assert_eq!(plain == bent, !of_mass, "{name}");
    }
}

#[test]
fn undefined_scores_are_none_and_bad_maps_are_errors() {
    let (none, all) = (
        Array2::from_elem((3, 4), false),
        Array2::from_elem((3, 4), true),
    );
    let map = Array2::from_shape_fn((3, 4), |(y, x)| (4 * y + x) as f32);
    for name in NAMES {
        let count = name.ends_with("tives");
        assert_eq!(score(name, &map, &none).is_some(), count, "{name}");
        assert_eq!(metric(name).chance(none.view()).is_some(), count, "{name}");
        assert_eq!(score(name, &map, &all).is_some(), name != "auroc", "{name}");
        assert_eq!(
            metric(name).chance(all.view()).is_some(),
            name != "auroc",
            "{name}"
        );
        let bad = array![[0.0, f32::NAN]];
        let truth = array![[true, false]];
        assert!(
            metric(name).score(bad.view(), truth.view()).is_err(),
            "{name}"
        );
        let other_shape = metric(name).score(map.view(), truth.view());
        assert!(
            other_shape.unwrap_err().to_string().contains("(3, 4)"),
            "{name}"
        );
        // Zeros find nothing; that is a score, so that the image is not left out.
        let zeros = score(name, &Array2::zeros((1, 2)), &truth);
        if ["emd", "relevance_mass_accuracy"].contains(&name) {
            assert_eq!(zeros, Some(0.0), "{name}");
        }
    }
    let error = named("presicion").err().unwrap().to_string();
    assert!(error.contains("did you mean `precision`"), "{error}");
    assert!(named("q").err().unwrap().to_string().contains("emd_top_k"));
}

/// By duality: among maps of one pixel, the distance to one pixel is the way between them.
#[test]
fn one_pixel_goes_the_straight_way() {
    let only = |place: [usize; 2]| {
        let mut map = Array2::zeros((40, 30));
        map[place] = 3.0_f32;
        map
    };
    let truth = only([3, 4]).mapv(|value| value > 0.0);
    let longest = 39f64.hypot(29.0);
    for (place, way) in [
        ([3, 4], 0.0),
        ([33, 4], 30.0),
        ([6, 8], 5.0),
        ([35, 28], 40.0),
    ] {
        for metric in [&Emd as &dyn Metric, &EmdTopK] {
            let found = metric
                .score(only(place).view(), truth.view())
                .unwrap()
                .unwrap();
            assert!(
                (found - (1.0 - way / longest)).abs() < 1e-12,
                "{place:?}: {found}"
            );
        }
    }
}

/// A shift of a set by (3, 4) costs 5 a pixel (its potential is the way along the shift), however many pixels
/// there are, and whatever they have in common.
#[test]
fn a_shifted_set_goes_as_far_as_the_shift() {
    let set = |dy: usize, dx: usize| {
        Array2::from_shape_fn((64, 64), |(y, x)| {
            (10 + dy..30 + dy).contains(&y) && (12 + dx..40 + dx).contains(&x)
        })
    };
    let map = set(3, 4).mapv(|inside| f32::from(u8::from(inside)));
    let score = |metric: &dyn Metric| metric.score(map.view(), set(0, 0).view()).unwrap().unwrap();
    let expected = 1.0 - 5.0 / 63f64.hypot(63.0);
    assert!((score(&EmdTopK) - expected).abs() < 1e-9);
    assert!((score(&Emd) - expected).abs() < 1e-9);
}

#[test]
fn policies_of_sign_and_channels() {
    let attribution =
        Array3::from_shape_vec((3, 1, 2), vec![1.0, -2.0, -3.0, 0.0, 1.0, 10.0]).unwrap();
    let heat = |sign, channels| Combine { sign, channels }.heat(attribution.view()).unwrap();
    for (sign, channels, expected) in [
        (
            Sign::Absolute,
            Channels::Luma,
            [0.2989 + 3.0 * 0.587 + 0.114, 2.0 * 0.2989 + 1.14],
        ),
        (Sign::Positive, Channels::Luma, [0.2989 + 0.114, 1.14]),
        (
            Sign::Signed,
            Channels::Luma,
            [0.2989 - 3.0 * 0.587 + 0.114, 1.14 - 2.0 * 0.2989],
        ),
        (Sign::Absolute, Channels::Sum, [5.0, 12.0]),
        (Sign::Positive, Channels::Sum, [2.0, 10.0]),
        (Sign::Signed, Channels::Sum, [-1.0, 8.0]),
        (Sign::Absolute, Channels::MaxAbs, [3.0, 10.0]),
        (Sign::Positive, Channels::MaxAbs, [1.0, 10.0]),
        (Sign::Signed, Channels::MaxAbs, [-3.0, 10.0]),
    ] {
        for (found, expected) in heat(sign, channels).iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-5_f32,
                "{sign:?} {channels:?}: {found}"
            );
        }
    }
    let five = Array3::from_elem((5, 1, 1), f32::NAN);
    assert!(Combine::default().heat(five.view()).is_err());
    for channels in [Channels::Sum, Channels::MaxAbs] {
        let heat = Combine {
            channels,
            ..Combine::default()
        }
        .heat(five.view())
        .unwrap();
        assert!(heat[[0, 0]].is_nan(), "{channels:?} hides a NaN");
    }
}

/// A panel gives one row a method, image and metric, then one a chance level, and combines as it is told.
#[test]
fn panels_take_several_metrics_and_policies() {
    let truth = blocks();
    let device = DeviceChoice::Flex.open().unwrap();
    let linear = Linear {
        weight: Tensor::ones([1, 3 * 192], &device),
        bias: None,
    };
    let network = Network::new(vec![Layer::Flatten, Layer::Linear(linear)]);
    let pixels = Array4::from_shape_fn((2, 3, 12, 16), |(image, channel, y, x)| {
        noise((3 * image + channel) as u64)[[y, x]] - 0.5
    });
    let images = Images::new(pixels.clone(), vec![0, 0])
        .with_truth(stack(Axis(0), &[truth.view(), truth.view()]).unwrap());

    // With weights of 1 the attribution is the input.
    let panel = || Panel::new().with(InputXGradient);
    let rows = panel()
        .score(&network, &images, &(Precision, Auroc, Emd))
        .unwrap();
    let names: Vec<(u32, &str)> = rows
        .iter()
        .map(|row| (row.image, row.metric.as_str()))
        .collect();
    // Then the chance levels, in the same order.
    let of_both = |metrics: [&'static str; 3]| {
        [0, 1]
            .map(|image| metrics.map(|metric| (image, metric)))
            .concat()
    };
    let chances = ["precision_chance", "auroc_chance", "emd_chance"];
    let expected = [of_both(["precision", "auroc", "emd"]), of_both(chances)].concat();
    assert_eq!(names, expected);

    let signed = Combine {
        sign: Sign::Signed,
        channels: Channels::Sum,
    };
    for policy in [Combine::default(), signed] {
        let rows = panel()
            .combine(policy)
            .score(&network, &images, &Auroc)
            .unwrap();
        for (row, attribution) in rows.iter().zip(pixels.outer_iter()) {
            let heat = policy.heat(attribution).unwrap();
            let expected = Auroc.score(heat.view(), truth.view()).unwrap();
            assert_eq!(Some(row.value), expected, "{policy:?}");
        }
    }
}

/// The mean within the truth. It counts what it is asked.
#[derive(Default)]
struct Counting {
    scores: AtomicUsize,
    chances: AtomicUsize,
}

impl Metric for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        self.scores.fetch_add(1, Ordering::Relaxed);
        let inside = map.iter().zip(truth).filter(|(_, inside)| **inside);
        Ok(Some(inside.map(|(value, _)| f64::from(*value)).sum()))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        self.chances.fetch_add(1, Ordering::Relaxed);
        Some(truth.iter().filter(|inside| **inside).count() as f64)
    }
}

/// Equal maps of an image are scored once, and equal truths have one chance level. All rows are there, with the values
/// that each method and image has alone.
#[test]
fn equal_maps_and_truths_are_scored_once() {
    let device = DeviceChoice::Flex.open().unwrap();
    let linear = Linear {
        weight: Tensor::ones([1, 192], &device),
        bias: None,
    };
    let network = Network::new(vec![Layer::Flatten, Layer::Linear(linear)]);
    let pixels = Array4::from_shape_fn((3, 1, 12, 16), |(image, _, y, x)| {
        noise(image as u64)[[y, x]] - 0.5
    });
    let (truth, other) = (blocks(), blocks().mapv(|inside| !inside));
    let truths = stack(Axis(0), &[truth.view(), other.view(), truth.view()]).unwrap();
    let images = Images::new(pixels.clone(), vec![0; 3]).with_truth(truths.clone());
    let counting = Counting::default();
    // The saliency and the deconvolution of a linear layer are its weights.
    let panel = Panel::new()
        .with(Saliency)
        .with(InputXGradient)
        .with(Deconvolution);
    let mut rows = panel.score(&network, &images, &counting).unwrap();
    // Without the checks, which say that maps are constant.
    rows.retain(|row| row.metric.starts_with("counting"));
    assert_eq!(counting.scores.into_inner(), 3 * 2);
    assert_eq!(counting.chances.into_inner(), 2);
    assert_eq!(rows.len(), 3 * 3 + 3);
    for row in rows {
        let image = row.image as usize;
        let inside = |value: f64| {
            let of = truths.index_axis(Axis(0), image);
            let pixels = pixels.index_axis(Axis(0), image);
            let pairs = of.iter().zip(&pixels).filter(|(inside, _)| **inside);
            pairs
                .map(|(_, x)| f64::from(x.abs()).powf(value))
                .sum::<f64>()
        };
        let expected = inside(if row.method == "input_x_gradient" {
            1.0
        } else {
            0.0
        });
        assert!((row.value - expected).abs() < 1e-9, "{row:?}: {expected}");
    }
}

/// A metric whose scores would be taken for chance levels.
struct ByChance;

impl Metric for ByChance {
    fn name(&self) -> &'static str {
        "by_chance"
    }

    fn score(&self, _: ArrayView2<f32>, _: ArrayView2<bool>) -> Result<Option<f64>> {
        Ok(Some(1.0))
    }

    fn chance(&self, _: ArrayView2<bool>) -> Option<f64> {
        None
    }
}

#[test]
fn a_metric_with_the_name_of_a_chance_level_is_refused() {
    let images = Images::new(Array4::zeros((1, 1, 12, 16)), vec![0])
        .with_truth(blocks().insert_axis(Axis(0)));
    let panel = Panel::new().with(Intensity);
    let problem = panel.score(&NoModel, &images, &ByChance).unwrap_err();
    let problem = problem.to_string();
    assert!(
        problem.contains("`by_chance` ends like those of chance levels"),
        "{problem}"
    );
}
