//! Scores without ground truth in `explain!` and in panels, compared with Quantus and Captum
//! (`fixtures/evaluation/make_measures.py`).

use ndarray::{Array2, Array3, Array4, ArrayD, ArrayView4, Axis, s};
use tests::{Fixture, device, download, upload};
use xai_core::Result;
use xai_core::attribution::{
    Batch, Differentiable, Explain, Measure, Measured, Method, Metrics, Randomised, Targets,
    UniformNoise,
};
use xai_core::device::Tensor;
use xai_core::metrics::faithfulness::{areas, infidelity};
use xai_core::metrics::imputation::impute;
use xai_core::metrics::randomisation::{cascade, mprt};
use xai_core::metrics::robustness::relative_changes;
use xai_core::metrics::{Better, WITHOUT_TRUTH, better, described};
use xai_core::network::{Layer, Linear, json};
use xai_core::prelude::*;

const BASELINE: f32 = 0.25;

struct Oracle {
    file: Fixture,
    network: Network,
    images: Images,
}

impl Oracle {
    fn read() -> Self {
        let file = Fixture::read("evaluation/measures.safetensors");
        let class: ArrayD<f32> = file.array("classes");
        let class = class.iter().map(|&class| class as u8).collect();
        Self {
            network: file.network(),
            images: Images::new(file.array("images"), class),
            file,
        }
    }

    fn panel(&self) -> Panel<Network> {
        let (_, c, h, w) = self.images.pixels.dim();
        Panel::new()
            .with(InputXGradient)
            .combine(Channels::Sum)
            .baseline(Baseline::Image(Array3::from_elem((c, h, w), BASELINE)))
    }

    /// The value of each image.
    fn values(&self, metric: impl Metrics<Network>) -> Vec<f64> {
        let scores = self.panel().score(&self.network, &self.images, &metric);
        let scores = scores.unwrap().into_iter();
        let own = scores.filter(|score| score.metric == metric.list()[0].name());
        own.map(|score| score.value).collect()
    }

    fn scores(&self, images: ArrayView4<f32>) -> Result<Vec<f64>> {
        let scores: Array2<f32> = download(self.network.forward(upload(&images.to_owned())));
        let rows = scores.outer_iter().zip(&self.images.class);
        Ok(rows
            .map(|(row, &class)| row[usize::from(class)].into())
            .collect())
    }
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = (found - expected).abs();
        assert!(
            off <= tolerance * expected.abs().max(0.1),
            "{found}, not {expected}"
        );
    }
}

fn list(values: ArrayD<f32>) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The area under Quantus's curve, which lacks the score of the image itself.
fn area(curve: Array2<f32>, first: Vec<f64>) -> Vec<f64> {
    let columns = curve.dim().1 + 1;
    let whole = Array2::from_shape_fn((first.len(), columns), |(image, step)| match step {
        0 => first[image],
        step => curve[[image, step - 1]].into(),
    });
    // All its steps have the same length.
    let steps = columns - 1;
    let areas = areas(&whole, steps, 1).into_iter();
    areas.map(Option::unwrap).collect()
}

#[test]
fn deletion_and_pixel_flipping_are_quantus() {
    let oracle = Oracle::read();
    let logits: Array2<f32> = oracle.file.array("logits");
    let of_class = |of: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
        let rows = logits.outer_iter().zip(&oracle.images.class);
        rows.map(|(row, &class)| {
            let row: Vec<f64> = row.iter().map(|&logit| logit.into()).collect();
            of(&row, class.into())
        })
        .collect()
    };
    let probability =
        of_class(&|row, class| row[class].exp() / row.iter().map(|logit| logit.exp()).sum::<f64>());
    let deletion = area(oracle.file.array("deletion"), probability);
    close(&oracle.values(Deletion { steps: 8 }), &deletion, 1e-5);
    let flipping = area(
        oracle.file.array("flipping"),
        of_class(&|row, class| row[class]),
    );
    close(&oracle.values(PixelFlipping { steps: 8 }), &flipping, 1e-5);
}

/// A network that ends in a softmax gives probabilities, and has no second softmax.
#[test]
fn deletion_of_a_network_that_ends_in_softmax_is_quantus() {
    let oracle = Oracle::read();
    let panel = || {
        let (_, c, h, w) = oracle.images.pixels.dim();
        let baseline = Array3::from_elem((c, h, w), BASELINE);
        // Its map does not depend on the network.
        let panel = Panel::new().with(Intensity).combine(Channels::Sum);
        panel.baseline(Baseline::Image(baseline))
    };
    let values = |network: &Network, metric: Deletion| -> Vec<f64> {
        let scores = panel().score(network, &oracle.images, &metric).unwrap();
        let own = scores.iter().filter(|score| score.metric == "deletion");
        own.map(|score| score.value).collect()
    };
    let of_logits = values(&oracle.network, Deletion { steps: 8 });
    let mut layers = oracle.network.layers.clone();
    layers.push(Layer::Softmax);
    let with_softmax = Network::new(layers);
    close(
        &values(&with_softmax, Deletion { steps: 8 }),
        &of_logits,
        1e-6,
    );

    let class = oracle.images.class.clone();
    let images = Dataset::new(oracle.images.pixels.clone(), class).unwrap();
    let images = Examples::of(&images, &device());
    let [plain, own] =
        [&oracle.network, &with_softmax].map(|network| network.predict(&images).unwrap());
    close(&own.concat(), &plain.concat(), 1e-6);
}

/// 81 pixels in 20 steps are 16 steps of 5 pixels and one of 1. If each pixel counts the same, curves are straight lines from
/// 0 to 1 over the number of pixels, whatever the steps.
#[test]
fn a_shorter_last_step_counts_less() {
    let linear = Linear {
        weight: Tensor::ones([1, 81], &device()) / 81.0,
        bias: None,
    };
    let network = Network::new(vec![Layer::Flatten, Layer::Linear(linear)]);
    let images = Images::new(Array4::ones((1, 1, 9, 9)), vec![0]);
    let panel = || Panel::new().with(Intensity).baseline(Baseline::Zero);
    let (deletion, insertion, flipping) = (
        Deletion { steps: 20 },
        Insertion { steps: 20 },
        PixelFlipping { steps: 20 },
    );
    let scores = panel().score(&network, &images, &(deletion, insertion, flipping));
    let scores = scores.unwrap().into_iter();
    let own = scores.filter(|score| described(&score.metric).is_some());
    let values: Vec<f64> = own.map(|score| score.value).collect();
    close(&values, &[0.5; 3], 1e-5);
}

/// Insertion of a map is deletion of the map upside down, from the other end.
#[test]
fn insertion_is_deletion_in_reverse() {
    let oracle = Oracle::read();
    let n = oracle.images.len();
    let (forth, back) = (Insertion { steps: 8 }, Deletion { steps: 8 });
    let sum =
        |a: Vec<f64>, b: Vec<f64>| -> Vec<f64> { a.iter().zip(&b).map(|(a, b)| a + b).collect() };
    let both = sum(oracle.values(forth), oracle.values(back));
    assert_eq!(both.len(), n);
    // With one step, both curves are the straight line between the two ends.
    let line = oracle.values(Insertion { steps: 1 });
    close(&line, &oracle.values(Deletion { steps: 1 }), 1e-6);
    assert!(
        both.iter()
            .zip(&line)
            .any(|(both, line)| (both - 2.0 * line).abs() > 1e-3)
    );
}

#[test]
fn removed_pixels_are_quantus_imputation() {
    let oracle = Oracle::read();
    let removed: Array2<f32> = oracle.file.array("removed");
    let expected: Array4<f32> = oracle.file.array("imputed");
    for (image, pixels) in oracle.images.pixels.outer_iter().enumerate() {
        let removed: Vec<usize> = removed.row(image).iter().map(|&at| at as usize).collect();
        let found = impute(pixels, &removed).unwrap();
        let off = (&found - &expected.index_axis(Axis(0), image)).mapv(f32::abs);
        assert!(off.iter().all(|&off| off < 1e-5), "{off}");
    }
    let image = oracle.images.pixels.index_axis(Axis(0), 0);
    assert_eq!(impute(image, &[]).unwrap(), image);
    let all: Vec<usize> = (0..56).collect();
    assert!(impute(image, &all).is_err());
    assert!(impute(image, &[56]).is_err());
}

#[test]
fn road_is_the_share_of_percentages_at_which_the_class_is_predicted() {
    let oracle = Oracle::read();
    let expected: Array2<f32> = oracle.file.array("road");
    let expected: Vec<f64> = expected
        .mean_axis(Axis(1))
        .unwrap()
        .iter()
        .map(|&v| v.into())
        .collect();
    assert!(expected.iter().any(|share| *share > 0.0 && *share < 1.0));
    let quiet = Road {
        noise: 0.0,
        ..Road::default()
    };
    close(&oracle.values(quiet), &expected, 1e-6);
    // Large noise is drawn for each image by its index, and the same again.
    let loud = Road {
        noise: 5.0,
        ..Road::default()
    };
    let found = oracle.values(loud.clone());
    assert_eq!(found, oracle.values(loud.clone()));
    assert_ne!(found, oracle.values(Road { seed: 1, ..loud }));
}

#[test]
fn infidelity_is_captums_and_quantus() {
    let oracle = Oracle::read();
    let squares: ArrayD<f32> = oracle.file.array("squares");
    let attributions: Array4<f32> = oracle.file.array("attributions");
    let images = oracle.images.pixels.view();
    for (name, scaled) in [("infidelity", false), ("infidelity_scaled", true)] {
        let draws = squares
            .outer_iter()
            .map(|one| one.to_owned().into_dimensionality().unwrap());
        let found = infidelity(images, attributions.view(), draws, scaled, |x| {
            oracle.scores(x)
        });
        let expected = list(oracle.file.array(name));
        close(&found.unwrap(), &expected, 1e-4 * 0.01); // values of 1e-3
    }
    // Quantus replaces one pixel after the other.
    let (_, _, h, w) = images.dim();
    let mut now = images.to_owned();
    let draws = (0..h * w).map(|pixel| {
        now.slice_mut(s![.., .., pixel / w, pixel % w])
            .fill(BASELINE);
        now.clone()
    });
    let found = infidelity(images, attributions.view(), draws, false, |x| {
        oracle.scores(x)
    });
    close(
        &found.unwrap(),
        &list(oracle.file.array("infidelity_quantus")),
        1e-5,
    );
    // In a panel: random squares. A scale that suits a method best cannot be worse.
    let plain = Infidelity {
        scaled: false,
        ..Infidelity::default()
    };
    let (plain, scaled) = (oracle.values(plain), oracle.values(Infidelity::default()));
    assert!(
        plain
            .iter()
            .zip(&scaled)
            .all(|(plain, scaled)| plain >= scaled)
    );
    assert!(scaled.iter().all(|&value| value > 0.0));
}

/// The gradient with its sign, in some unit.
struct Gradient(f32);

impl Method for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }
}

impl<M: Differentiable> Explain<M> for Gradient {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(batch.gradient()?.clone().mul_scalar(self.0))
    }
}

/// The gradient of a linear network says exactly what removing a square changes, in any unit.
#[test]
fn the_gradient_of_a_linear_network_has_no_infidelity() {
    let layers = r#"["flatten", {"linear":{"in":64,"out":3}}]"#;
    let network = json::init(layers, 1, &device()).unwrap();
    let pixels = Array4::from_shape_fn((2, 1, 8, 8), |(i, _, y, x)| {
        ((i + 3 * y + 5 * x) % 7) as f32
    });
    let images = Images::new(pixels, vec![0, 2]);
    let plain = Infidelity {
        scaled: false,
        ..Infidelity::default()
    };
    for (unit, measure, exact) in [
        (1.0, plain, true),
        (3.0, plain, false),
        (3.0, Infidelity::default(), true),
    ] {
        let scores = Panel::new()
            .with(Gradient(unit))
            .score(&network, &images, &measure)
            .unwrap();
        assert_eq!(scores.len(), 2);
        assert!(
            scores.iter().all(|score| (score.value < 1e-10) == exact),
            "{unit}: {scores:?}"
        );
    }
}

/// The gradient of a grey image that is repeated in the channels of a network is the sum over these.
struct GradientOfGrey;

impl Method for GradientOfGrey {
    fn name(&self) -> &'static str {
        "gradient_of_grey"
    }
}

impl<M: Differentiable> Explain<M> for GradientOfGrey {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        Ok(batch.gradient()?.clone().sum_dim(1))
    }
}

/// It says exactly what removing a square from the grey image changes. Of images in colour it says nothing of a channel.
#[test]
fn infidelity_of_one_channel_is_that_of_the_grey_image() {
    let layers = r#"[{"conv2d": {"in": 3, "out": 2, "kernel": 1}}, "flatten", {"linear": {"in": 128, "out": 3}}]"#;
    let network = json::init(layers, 1, &device()).unwrap();
    let pixels = |channels: usize| {
        Array4::from_shape_fn((2, channels, 8, 8), |(i, c, y, x)| {
            ((i + 2 * c + 3 * y + 5 * x) % 7) as f32 / 7.0
        })
    };
    let infidelity = Infidelity {
        scaled: false,
        ..Infidelity::default()
    };
    let score = |channels: usize| {
        let images = Images::new(pixels(channels), vec![0, 2]);
        let panel = Panel::new().with(GradientOfGrey).combine(Channels::Sum);
        panel.score(&network, &images, &infidelity)
    };
    let scores = score(1).unwrap();
    let own = scores.iter().filter(|score| score.metric == "infidelity");
    let values: Vec<f64> = own.map(|score| score.value).collect();
    assert_eq!(values.len(), 2);
    assert!(values.iter().all(|&value| value < 1e-10), "{values:?}");
    let problem = score(3).unwrap_err().to_string();
    for word in ["infidelity", "gradient_of_grey", "1 for the 3 channels"] {
        assert!(problem.contains(word), "{problem}");
    }
}

#[test]
fn sparseness_and_random_logit_are_quantus() {
    let oracle = Oracle::read();
    close(
        &oracle.values(Sparseness),
        &list(oracle.file.array("sparseness")),
        1e-4,
    );
    let expected = list(oracle.file.array("random_logit"));
    // A pair of ranks that rounding swaps moves a correlation of 112 values by 1e-5.
    close(&oracle.values(RandomLogit::default()), &expected, 1e-4);
}

#[test]
fn max_sensitivity_explains_noisy_images_again() {
    let oracle = Oracle::read();
    let measure = MaxSensitivity {
        radius: 0.1,
        draws: 3,
        seed: 4,
    };
    let found = oracle.values(measure);
    let explain = |images: &Images| {
        let maps = oracle
            .panel()
            .explain(&oracle.network, images, Targets::TrueClass);
        maps.unwrap().remove(0).values
    };
    let before = explain(&oracle.images);
    let mut largest = vec![0.0_f64; oracle.images.len()];
    let zeros = Array4::zeros(oracle.images.pixels.dim());
    let noise =
        xai_core::metrics::robustness::uniform_noise(zeros.view(), &oracle.images.index, 0.1, 3, 4);
    for mut noisy in noise {
        for (image, mut noisy) in noisy.outer_iter_mut().enumerate() {
            let pixels = oracle.images.pixels.index_axis(Axis(0), image);
            let most = pixels.iter().copied().fold(f32::MIN, f32::max);
            let least = pixels.iter().copied().fold(f32::MAX, f32::min);
            noisy.mapv_inplace(|value| value * (most - least));
            noisy += &pixels;
        }
        let now = explain(&Images::new(noisy, oracle.images.class.clone()));
        let changes = relative_changes(before.view(), now.view()).unwrap();
        for (largest, change) in largest.iter_mut().zip(changes) {
            *largest = largest.max(change.unwrap());
        }
    }
    close(&found, &largest, 1e-6);
    assert!(found.iter().all(|&value| value > 0.0));
    // An edge filter does not see noise of radius 0, and the draws of noise do not see the image.
    let still = MaxSensitivity {
        radius: 0.0,
        ..measure
    };
    assert_eq!(oracle.values(still), vec![0.0; 4]);
    let noise = Panel::new()
        .with(UniformNoise::default())
        .combine(Channels::Sum);
    let scores = noise
        .score(&oracle.network, &oracle.images, &measure)
        .unwrap();
    let values = scores
        .iter()
        .filter(|score| score.metric == "max_sensitivity");
    assert!(values.clone().count() == 4 && values.clone().all(|score| score.value == 0.0));
}

/// Noise in shares of a range of 0 changes nothing. That is no robustness.
#[test]
fn max_sensitivity_of_an_even_image_is_undefined() {
    let mut oracle = Oracle::read();
    oracle.images.pixels.index_axis_mut(Axis(0), 2).fill(0.5);
    let metric = MaxSensitivity::default();
    let scores = oracle
        .panel()
        .score(&oracle.network, &oracle.images, &metric);
    let scores = scores.unwrap().into_iter();
    let own = scores.filter(|score| score.metric == "max_sensitivity");
    let images: Vec<u32> = own.map(|score| score.image).collect();
    assert_eq!(images, [0, 1, 3]);
}

/// Without a draw nothing changes, and without a radius in numbers nothing is compared: that is not robust.
#[test]
fn a_sensitivity_without_draws_or_radius_is_refused() {
    let oracle = Oracle::read();
    let usual = MaxSensitivity::default();
    for (radius, draws) in [(0.02, 0), (f32::NAN, 1), (-0.02, 1)] {
        let measure = MaxSensitivity {
            radius,
            draws,
            ..usual
        };
        let scores = oracle
            .panel()
            .score(&oracle.network, &oracle.images, &measure);
        let problem = scores.unwrap_err().to_string();
        assert!(problem.contains("give at least one draw"), "{problem}");
    }
}

#[test]
fn mprt_randomises_the_layers_of_the_network() {
    let oracle = Oracle::read();
    let explain = |network: &Network| {
        let maps = oracle
            .panel()
            .explain(network, &oracle.images, Targets::TrueClass)?;
        Ok(maps.into_iter().next().unwrap().values)
    };
    let all = mprt(&oracle.network, cascade(&oracle.network, 9), explain).unwrap();
    // A random network may be silent on an image, whose map is then 0 and has no order.
    let mean = |image: usize| -> Option<f64> {
        let sum: Option<f64> = all.iter().map(|one| one[image]).sum();
        sum.map(|sum| sum / all.len() as f64)
    };
    let means: Vec<f64> = (0..4).filter_map(mean).collect();
    assert!(!means.is_empty());
    let measure = Mprt {
        randomised: Randomised::LayerByLayer,
        seed: 9,
    };
    close(&oracle.values(measure), &means, 1e-6);
    let last: Vec<f64> = all[2].iter().flatten().copied().collect();
    let measure = Mprt {
        seed: 9,
        ..Mprt::default()
    };
    close(&oracle.values(measure), &last, 1e-6);
}

/// Layers within residual blocks are randomised too.
#[test]
fn a_cascade_reaches_into_residual_blocks() {
    let network = Network::resnet18(2, 3, &device());
    let parameters = |network: &Network| network.fingerprint();
    let models: Vec<String> = cascade(&network, 1)
        .map(|network| parameters(&network))
        .collect();
    assert_eq!(models.len(), 41); // 20 convolutions, 20 norms, 1 linear layer
    assert!(models.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 20);
}

#[test]
fn scores_without_truth_need_none_and_stand_beside_others() {
    let oracle = Oracle::read();
    let problem = oracle
        .panel()
        .score(&oracle.network, &oracle.images, &(Sparseness, Precision));
    assert!(problem.unwrap_err().to_string().contains("no ground truth"));
    let (n, _, h, w) = oracle.images.pixels.dim();
    let truth = Array3::from_shape_fn((n, h, w), |(_, y, _)| y < 3);
    let images = oracle.images.clone().with_truth(truth);
    let scores = explain! { model = oracle.network, input = images,
        methods = [Saliency, InputXGradient],
        combine = Channels::Sum,
        score = (Deletion::default(), Precision, Sparseness, Mprt::default()),
    };
    let scores = scores.unwrap();
    let of_first: Vec<&str> = scores
        .iter()
        .take(4)
        .map(|score| score.metric.as_str())
        .collect();
    assert_eq!(of_first, ["deletion", "precision", "sparseness", "mprt"]);
    assert_eq!(
        scores
            .iter()
            .filter(|score| score.method == "chance")
            .count(),
        n
    );
    // Alone and beside others, the numbers are the same.
    let alone = oracle.values(Sparseness);
    let beside = scores
        .iter()
        .filter(|score| score.method == "input_x_gradient" && score.metric == "sparseness");
    assert_eq!(beside.map(|score| score.value).collect::<Vec<_>>(), alone);
}

/// Filters have no model, and a model without layers has no MPRT; deletion needs only scores.
#[test]
fn a_measure_asks_of_the_model_what_it_needs() {
    let images = Images::grey(
        Array3::from_shape_fn((1, 6, 6), |(_, y, x)| (y * x) as f32),
        vec![1],
    );
    let filter = explain!(input = images, methods = [Intensity], score = Sparseness).unwrap();
    assert_eq!(filter.len(), 1);
    let closure = Closure(|images: Array4<f32>| {
        let sums = images
            .map_axis(Axis(3), |row| row.sum())
            .map_axis(Axis(2), |column| column.sum());
        Ok(ndarray::concatenate![Axis(1), -&sums, sums])
    });
    let scores = explain!(
        model = closure,
        input = images,
        methods = [Intensity],
        score = (Deletion { steps: 2 }, Insertion { steps: 36 })
    );
    let values: Vec<f64> = scores.unwrap().iter().map(|score| score.value).collect();
    // Half of the pixels hold all but few of the sum of 225, so the probability falls from 1 to 1/2 at the end only.
    assert!(values[0] > 0.7 && values[0] < 1.0, "{values:?}");
    assert!(values[1] > 0.9, "{values:?}");
}

#[test]
fn some_of_the_images_keep_what_belongs_to_them() {
    let pixels = Array3::from_shape_fn((5, 2, 2), |(i, ..)| i as f32);
    let truth = Array3::from_shape_fn((5, 2, 2), |(i, ..)| i % 2 == 0);
    let images = Images::grey(pixels, vec![0, 1, 2, 3, 4]).with_truth(truth);
    let some = images
        .clone()
        .with_index(vec![10, 11, 12, 13, 14])
        .spaced(2);
    assert_eq!((some.class.clone(), some.index), (vec![0, 2], vec![10, 12]));
    assert_eq!(some.pixels.index_axis(Axis(0), 1)[[0, 1, 1]], 2.0);
    assert!(some.truth.unwrap().iter().all(|&inside| inside));
    assert_eq!(images.clone().spaced(9).index, images.index);
    assert!(images.spaced(0).is_empty());
}

#[test]
fn every_measure_is_described() {
    let named = |metrics: &dyn Metrics<Network>| {
        metrics
            .list()
            .iter()
            .map(Measured::name)
            .collect::<Vec<_>>()
    };
    let all = (
        Deletion::default(),
        Insertion::default(),
        PixelFlipping::default(),
        Road::default(),
        Infidelity::default(),
        MaxSensitivity::default(),
        Sparseness,
        RandomLogit::default(),
        Mprt::default(),
    );
    assert_eq!(named(&all), WITHOUT_TRUTH.map(|one| one.name));
    assert_eq!(better("insertion"), Better::More);
    assert_eq!(better("deletion"), Better::Less);
    assert_eq!(better("of_an_experiment"), Better::More);
    // A correlation that should vanish: -0.5 is as bad as 0.5.
    for name in ["mprt", "random_logit"] {
        let ranks = [0.1, -0.2, 0.5, -0.5].map(|score| better(name).rank(score));
        assert_eq!(ranks, [-0.1, -0.2, -0.5, -0.5]);
    }
    assert!(described("near_hit").is_none());
    let name: &str = Measure::<Network>::name(&Sparseness);
    assert_eq!(name, "sparseness");
}
