//! Checks beside every score: completeness, and maps that are zero, constant or tied.

use ndarray::{Array3, Axis, s};
use tests::{CAPTUM_NETWORKS, Fixture, cpu};
use xai_core::attribution::{
    DeepLift, Images, IntegratedGradients, NoModel, Panel, Saliency, ShapleyValueSampling,
    SmoothGrad, layer_activation,
};
use xai_core::metrics::{
    CHECKS, COMPLETENESS_ERROR, CONSTANT_MAP, NOISE_OVER_RANGE, Precision, Score, TIED_MAP,
    ZERO_MAP,
};
use xai_core::network::Layer;
use xai_core::prelude::*;

/// The images of a fixture with some truth.
fn with_truth(fixture: &Fixture) -> Images {
    let images = fixture.images();
    let (n, _, height, width) = images.pixels.dim();
    let mut truth = Array3::from_elem((n, height, width), false);
    truth.slice_mut(s![.., 1..3, 1..3]).fill(true);
    images.with_truth(truth)
}

fn errors(scores: &[Score], method: &str) -> Vec<f64> {
    let own = |score: &&Score| score.method == method && score.metric == COMPLETENESS_ERROR;
    scores.iter().filter(own).map(|score| score.value).collect()
}

/// Methods that promise a sum keep it, in every network that has no layer for which they are known not to: the rescale
/// rule of DeepLIFT is not exact where a maximum is taken of overlapping windows, and integrated gradients have the error
/// of their quadrature.
#[test]
fn complete_methods_are_found_complete() {
    for name in CAPTUM_NETWORKS {
        let fixture = Fixture::read(&format!("captum/{name}.safetensors"));
        let (network, images) = (fixture.network_on(&cpu()), with_truth(&fixture));
        let scores = Panel::new()
            .with(IntegratedGradients { steps: 400 })
            .with(DeepLift)
            .with(Saliency)
            .with(ShapleyValueSampling {
                permutations: 1,
                ..ShapleyValueSampling::default()
            })
            .combine(Channels::MaxAbs)
            .score(&network, &images, &Precision)
            .unwrap();
        assert!(
            errors(&scores, "saliency").is_empty(),
            "it promises nothing"
        );
        for (method, most) in [
            ("integrated_gradients", 0.05),
            ("deep_lift", 1e-3),
            ("shapley_value_sampling", 1e-3),
        ] {
            let errors = errors(&scores, method);
            // One image of `ties` is its own baseline, so nothing is promised but 0.
            let zeros = usize::from(name == "ties");
            assert_eq!(errors.len(), images.len() - zeros, "{name} {method}");
            let worst = errors.iter().copied().fold(0.0, f64::max);
            assert!(worst < most, "{name} {method}: {worst}");
        }
    }
}

/// DeepLIFT is not complete at a softmax, so it promises no sum of a network with one.
#[test]
fn deep_lift_promises_nothing_of_a_softmax() {
    let fixture = Fixture::read("captum/plain.safetensors");
    let (mut network, images) = (fixture.network_on(&cpu()), with_truth(&fixture));
    for checked in [images.len(), 0] {
        let panel = Panel::new().with(DeepLift).with(DeepLift::captum());
        let scores = panel.score(&network, &images, &Precision).unwrap();
        for method in ["deep_lift", "deep_lift_captum"] {
            assert_eq!(errors(&scores, method).len(), checked, "{method}");
        }
        network.layers.push(Layer::Softmax);
    }
}

/// Few steps are not enough where a network bends: the check tells.
#[test]
fn an_incomplete_result_is_seen() {
    let fixture = Fixture::read("captum/plain.safetensors");
    let (network, images) = (fixture.network_on(&cpu()), with_truth(&fixture));
    let scores = |steps| {
        let panel = Panel::new().with(IntegratedGradients { steps });
        let panel = panel.combine(Channels::MaxAbs);
        panel.score(&network, &images, &Precision).unwrap()
    };
    let mean = |steps| {
        let errors = errors(&scores(steps), "integrated_gradients");
        errors.iter().sum::<f64>() / errors.len() as f64
    };
    let [one, many] = [mean(1), mean(400)];
    assert!(one > 10.0 * many && one > 0.01, "{one} {many}");

    // The same from the maps and the network's outputs, of images and of zeros.
    let maps = Panel::new()
        .with(IntegratedGradients { steps: 1 })
        .explain(&network, &images, &images.class)
        .unwrap();
    let outputs =
        |images: &Images| layer_activation(&network, images, network.layers.len() - 1).unwrap();
    let zeros = Images::new(images.pixels.mapv(|_| 0.0), images.class.clone());
    let (with, without) = (outputs(&images), outputs(&zeros));
    let found = errors(&scores(1), "integrated_gradients");
    for (at, found) in found.into_iter().enumerate() {
        let class = usize::from(images.class[at]);
        let promised = f64::from(with[[at, class, 0, 0]] - without[[at, class, 0, 0]]);
        let map = maps[0].values.index_axis(Axis(0), at);
        let sum: f64 = map.iter().map(|&value| f64::from(value)).sum();
        let expected = (sum - promised).abs() / promised.abs();
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn maps_without_a_ranking_are_counted() {
    let mut pixels = Array3::<f32>::zeros((4, 4, 4));
    pixels.slice_mut(s![1, .., ..]).fill(0.5);
    // One pixel above equal others: the truth has four pixels, so the border is among equals.
    pixels[[2, 0, 0]] = 1.0;
    for (at, value) in pixels.slice_mut(s![3, .., ..]).iter_mut().enumerate() {
        *value = at as f32;
    }
    let mut truth = Array3::from_elem((4, 4, 4), false);
    truth.slice_mut(s![.., 0..2, 0..2]).fill(true);
    let images = Images::grey(pixels, vec![0, 1, 0, 1]).with_truth(truth);
    let scores = Panel::new()
        .with(Intensity)
        .score(&NoModel, &images, &Precision)
        .unwrap();
    let found: Vec<_> = scores
        .iter()
        .filter(|score| CHECKS.contains(&score.metric.as_str()))
        .map(|score| (score.image, score.metric.as_str(), score.value))
        .collect();
    assert_eq!(
        found,
        [
            (0, ZERO_MAP, 1.0),
            (1, CONSTANT_MAP, 1.0),
            (2, TIED_MAP, 15.0)
        ]
    );
}

/// One blank image must not make the scores of all others useless: a report refuses infinite scores.
#[test]
fn noise_on_a_blank_image_is_counted_by_a_finite_number() {
    let fixture = Fixture::read(&format!("captum/{}.safetensors", CAPTUM_NETWORKS[0]));
    let mut images = with_truth(&fixture);
    images.pixels.index_axis_mut(Axis(0), 0).fill(0.5);
    let scores = |noise: f64| {
        let method = SmoothGrad::of(Saliency).samples(1).absolute(noise);
        let scores =
            Panel::new()
                .with(method)
                .score(&fixture.network_on(&cpu()), &images, &Precision);
        let mut scores = scores.unwrap();
        assert!(
            scores.iter().all(|score| score.value.is_finite()),
            "{scores:?}"
        );
        scores.retain(|score| score.metric == NOISE_OVER_RANGE);
        scores
    };
    let counted = scores(1e-9);
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert_eq!((counted[0].image, counted[0].value), (0, f64::MAX));
    assert!(scores(0.0).is_empty(), "no noise exceeds no range");
    assert_eq!(scores(1e9).len(), images.len());
}
