//! Perturbation methods, noise and expected gradients, compared with exact values of what they estimate, or with properties
//! that follow from their definitions.

use burn::tensor::Tensor;
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, s};
use tests::{device, error};
use xai_core::attribution::{
    BurnModel, DeepLift, ExpectedGradients, GradientShap, Images, KernelShap, Lime, Panel, Rise,
    Saliency, ShapleyValueSampling, SmoothGrad,
};
use xai_core::device::AutodiffTensor;
use xai_core::metrics::{Channels, Precision, ZERO_MAP};
use xai_core::network::json;

use crate::common::{a_picture, columns, explain, model, network, noise_of, quantities, shown};

/// A score in which five parts (and no channel) work together.
fn interplay(image: ArrayView3<f32>) -> f32 {
    let parts = quantities(image);
    let [a, b, c, d, e] = parts;
    (2.0 * a - b + a * b * 3.0 + (c * d * e).tanh() + (c - d).powi(2) + 0.5 * e) as f32
}

/// Every order's contribution of every part: `[120 orders][5 parts]`.
fn contributions(image: ArrayView3<f32>) -> Vec<[f64; 5]> {
    let score = |there: [bool; 5]| {
        let there = |(_, _, x): (usize, usize, usize)| there[x];
        let variant =
            Array3::from_shape_fn(image.dim(), |at| if there(at) { image[at] } else { 0.0 });
        f64::from(interplay(variant.view()))
    };
    let mut all = Vec::new();
    for number in 0..120 {
        let mut rest: Vec<usize> = (0..5).collect();
        let (mut there, mut gains, mut number) = ([false; 5], [0.0; 5], number);
        for left in (1..=5).rev() {
            let part = rest.remove(number % left);
            number /= left;
            let before = score(there);
            there[part] = true;
            gains[part] = score(there) - before;
        }
        all.push(gains);
    }
    all
}

#[test]
fn shapley_values_are_those_of_all_orders() {
    let images = a_picture();
    let samples = 2000;
    let sampled = ShapleyValueSampling {
        segments: columns(),
        permutations: samples,
        seed: 3,
    };
    let sampled = explain(sampled, &model(interplay), &images);
    let all = KernelShap {
        segments: columns(),
        samples: 32,
        seed: 3,
    };
    let all = explain(all, &model(interplay), &images);
    let drawn = KernelShap {
        segments: columns(),
        samples: 31,
        seed: 3,
    };
    let drawn = explain(drawn, &model(interplay), &images);
    for (i, image) in images.pixels.outer_iter().enumerate() {
        let gains = contributions(image);
        let total = f64::from(interplay(image));
        for part in 0..5 {
            let values = gains.iter().map(|gains| gains[part]);
            let exact = values.clone().sum::<f64>() / 120.0;
            let variance = values.map(|value| (value - exact).powi(2)).sum::<f64>() / 120.0;
            let error = (variance / samples as f64).sqrt();
            let off = f64::from(sampled[[i, 1, 2, part]]) - exact;
            assert!(
                off.abs() < 4.0 * error + 1e-6,
                "part {part}: {off} with a standard error of {error}"
            );
            let off = f64::from(all[[i, 0, 0, part]]) - exact;
            assert!(
                off.abs() < 1e-6 * total.abs().max(1.0),
                "part {part}: {off}"
            );
            let off = f64::from(drawn[[i, 0, 0, part]]) - exact;
            assert!(off.abs() > 1e-6, "31 samples are no 32 coalitions");
        }
        for maps in [&sampled, &all, &drawn] {
            let sum: f32 = maps.slice(s![i, 0, 0, ..]).sum();
            assert!(
                (f64::from(sum) - total).abs() < 1e-5,
                "complete: {sum} of {total}"
            );
        }
    }
}

/// Of a linear score LIME without a penalty finds the weights, whatever is drawn; a heavy penalty leaves nothing.
#[test]
fn lime_finds_a_linear_model() {
    let images = a_picture();
    let linear = || {
        model(|image| {
            let [a, b, c, d, e] = quantities(image);
            (3.0 * a - 2.0 * b + c + 0.5 * d - e) as f32
        })
    };
    let with = |alpha: f64| Lime {
        segments: columns(),
        alpha,
        ..Default::default()
    };
    let found = explain(with(0.0), &linear(), &images);
    let nothing = explain(with(100.0), &linear(), &images);
    for (i, image) in images.pixels.outer_iter().enumerate() {
        let weights = [3.0, -2.0, 1.0, 0.5, -1.0];
        for ((part, quantity), weight) in quantities(image).iter().enumerate().zip(weights) {
            let off = f64::from(found[[i, 0, 0, part]]) - weight * quantity;
            assert!(off.abs() < 1e-5, "{off}");
            assert_eq!(nothing[[i, 0, 0, part]], 0.0);
        }
    }
}

/// Of an image of ones before zeros the variants are RISE's masks themselves.
#[test]
fn rise_is_the_mean_of_masks_weighted_by_score() {
    let ones = Images::new(Array4::ones((1, 2, 12, 9)), vec![0]).with_index(vec![5]);
    let rise = Rise {
        masks: 300,
        cells: 4,
        ..Default::default()
    };
    let masks = shown(rise, &ones).split_off(1);
    assert_eq!(masks.len(), 300);
    let peak = |image: ArrayView3<f32>| image[[1, 7, 2]] * 2.0 + image[[0, 7, 2]];
    let found = explain(rise, &model(peak), &ones);
    let mut sum = Array2::<f64>::zeros((12, 9));
    let mut mean = 0.0;
    for mask in &masks {
        assert!(mask.iter().all(|value| (0.0..=1.0).contains(value)));
        assert_eq!(mask.index_axis(Axis(0), 0), mask.index_axis(Axis(0), 1));
        let mask = mask.index_axis(Axis(0), 0).mapv(f64::from);
        mean += mask.mean().unwrap() / 300.0;
        sum = sum + &mask * (3.0 * mask[[7, 2]]);
    }
    assert!((mean - 0.5).abs() < 0.03, "{mean}");
    sum /= 300.0 * 0.5;
    for (&found, expected) in found.index_axis(Axis(1), 0).iter().zip(&sum) {
        assert!((f64::from(found) - expected).abs() < 1e-5 * expected);
    }
    let most = sum
        .indexed_iter()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .unwrap()
        .0;
    let near = most.0.abs_diff(7) <= 1 && most.1.abs_diff(2) <= 1;
    assert!(near, "the pixel that counts is found: {most:?}");
}

/// Noise of the Normal distribution: mean 0, the given deviation, another for each image and sample; and the
/// three statistics are those of what the method says about the noisy images.
#[test]
fn smooth_grad_is_a_statistic_over_noise() {
    let (network, images) = network("plain");
    let noise = noise_of(&images, 50, 0.25);
    let values: Vec<f64> = noise
        .iter()
        .flatten()
        .map(|&value| f64::from(value))
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / n;
    assert!(mean.abs() < 4.0 * 0.25 / n.sqrt(), "{mean}");
    assert!(
        (variance.sqrt() / 0.25 - 1.0).abs() < 4.0 / (2.0 * n).sqrt(),
        "{variance}"
    );
    assert_ne!(
        noise[0].index_axis(Axis(0), 0),
        noise[0].index_axis(Axis(0), 1)
    );
    assert_ne!(noise[0], noise[1]);

    let smooth = SmoothGrad::of(DeepLift).samples(4).absolute(0.25);
    let sums = noise_of(&images, 4, 0.25).into_iter().map(|noise| {
        let noisy = Images::new(&images.pixels + &noise, vec![0; 3]);
        explain(DeepLift, &network, &noisy)
    });
    let maps: Vec<Array4<f32>> = sums.collect();
    let mean = maps
        .iter()
        .fold(Array4::zeros(maps[0].dim()), |sum, map| sum + map)
        / 4.0;
    let squares = maps
        .iter()
        .fold(Array4::zeros(maps[0].dim()), |sum, map| sum + map * map)
        / 4.0;
    let close =
        |found: Array4<f32>, expected: &Array4<f32>| assert!(error(&found, expected) < 1e-5);
    close(explain(smooth, &network, &images), &mean);
    close(explain(smooth.squared(), &network, &images), &squares);
    close(
        explain(smooth.variance(), &network, &images),
        &(squares - &mean * &mean),
    );
    let plain = explain(Saliency, &network, &images);
    close(
        explain(SmoothGrad::of(Saliency).noise(0.0), &network, &images),
        &plain,
    );
}

/// The gradient of a linear network is the same at all noisy copies, so that its variance is exactly 0.
#[test]
fn a_variance_is_not_that_of_rounding() {
    let (plain, images) = network("plain");
    let (n, channels, height, width) = images.pixels.dim();
    let inputs = channels * height * width;
    let layers = format!(r#"["flatten", {{"linear": {{"in": {inputs}, "out": 10}}}}]"#);
    let linear = json::init(&layers, 0, &device()).unwrap();
    let variance = |noise: f64| {
        SmoothGrad::of(Saliency)
            .samples(7)
            .absolute(noise)
            .variance()
    };
    let map = explain(variance(0.25), &linear, &images);
    assert!(map.iter().all(|&value| value == 0.0), "{map}");

    let truth = Array3::from_shape_fn((n, height, width), |(_, y, x)| x == y);
    let scores = Panel::new()
        .with(variance(0.25))
        .combine(Channels::MaxAbs)
        .score(&linear, &images.clone().with_truth(truth), &Precision)
        .unwrap();
    let zeros = scores.iter().filter(|score| score.metric == ZERO_MAP);
    assert_eq!(zeros.count(), n);

    // Little noise rarely changes a gradient, which leaves the rounding.
    for noise in [1e-4, 0.25] {
        let map = explain(variance(noise), &plain, &images);
        assert!(map.iter().all(|&value| value >= 0.0), "{map}");
    }
}

/// Each noisy copy has points of its own, also where the noise is 0. From a baseline of 0, the gradient of x^2 at the share
/// a of the path gives 2 a x^2, whose mean over a is x^2.
#[test]
fn smooth_grad_of_gradient_shap_draws_again_for_each_copy() {
    let squares = |images: AutodiffTensor<4>| {
        let [n, ..] = images.dims();
        let sum = images.powi_scalar(2).reshape([n, 12]).sum_dim(1);
        Tensor::cat(vec![sum.clone() * -1.0, sum], 1)
    };
    let model = BurnModel::new(squares, device());
    let pixels = Array3::from_shape_fn((2, 3, 4), |(n, y, x)| (n + 2 * y + 3 * x) as f32 / 14.0);
    let images = Images::grey(pixels, vec![0, 0]);
    let single = GradientShap {
        samples: 1,
        seed: 0,
    };
    let smooth = SmoothGrad::of(single).samples(1000).noise(0.0);
    let found = explain(smooth, &model, &images);
    let expected = images.pixels.mapv(|value| value * value);
    let error = error(&found, &expected);
    assert!(error < 0.1, "{error}");
}

/// Of a linear score expected gradients are exact; of a quadratic one, w x^2, they tend to w (x^2 - mean of b^2).
#[test]
fn expected_gradients_tend_to_their_expectation() {
    let score = |power: i32| {
        move |images: AutodiffTensor<4>| {
            let [n, ..] = images.dims();
            let sum = images.powi_scalar(power).reshape([n, 12]).sum_dim(1);
            Tensor::cat(vec![sum.clone() * -1.0, sum], 1)
        }
    };
    let images = Images::grey(
        Array3::from_shape_fn((2, 3, 4), |(n, y, x)| (n + 2 * y + 3 * x) as f32 / 6.0),
        vec![0, 0],
    );
    let baselines =
        Array4::from_shape_fn((3, 1, 3, 4), |(n, _, y, x)| (n * n + y * x) as f32 / 5.0);
    let single = baselines.slice(s![1..2, .., .., ..]).to_owned();
    let linear = BurnModel::new(score(1), device());
    let found = explain(ExpectedGradients::from(single.clone()), &linear, &images);
    assert!(error(&found, &(&images.pixels - &single)) < 1e-6);

    let quadratic = BurnModel::new(score(2), device());
    let method = ExpectedGradients {
        samples: 4000,
        ..ExpectedGradients::from(baselines.clone())
    };
    let found = explain(method, &quadratic, &images);
    let squares = baselines
        .mapv(|value| value * value)
        .mean_axis(Axis(0))
        .unwrap();
    let expected = images.pixels.mapv(|value| value * value) - &squares.insert_axis(Axis(0));
    let error = error(&found, &expected);
    assert!(error < 0.05, "{error}");
}
