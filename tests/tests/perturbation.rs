//! Methods that change the image, noise and baselines: against Captum's (`fixtures/perturbation/make.py`), against exact
//! Shapley values, and for models that show no layers. Nothing depends on how images are batched.

mod autodiff;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, s};
use safetensors::SafeTensors;
use xai_core::attribution::{
    Baseline, Batch, BurnModel, Closure, Deconvolution, DeepLift, ExpectedGradients, Explain,
    Explainable, FeatureAblation, GradientShap, Images, InputXGradient, IntegratedGradients,
    KernelShap, Lime, Lrp, Map, Memory, Method, NoModel, Occlusion, Panel, Rise, Saliency,
    Segments, ShapleyValueSampling, SmoothGrad, layer_evaluations, methods,
};
use xai_core::device::{AutodiffTensor, Device, DeviceChoice};
use xai_core::network::{Network, json};
use xai_core::prelude::explain;

/// The class that the fixtures explain.
const TARGET: usize = 1;

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn array(file: &SafeTensors, name: &str) -> ndarray::ArrayD<f32> {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter();
    let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    ndarray::ArrayD::from_shape_vec(tensor.shape(), values).unwrap()
}

/// A network of Captum's fixtures, and its images.
fn network(name: &str, device: &Device) -> (Network, Images) {
    let bytes = fixture(&format!("captum/{name}.safetensors"));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let description = &metadata.metadata().as_ref().unwrap()["network"];
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let input = array(&file, "input").into_dimensionality().unwrap();
    let images = Images::new(input, vec![0; 3]);
    (json::network(description, &file, device).unwrap(), images)
}

fn expected(name: &str) -> Array4<f32> {
    let bytes = fixture("perturbation/perturbation.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    array(&file, name).into_dimensionality().unwrap()
}

fn cpu() -> Device {
    DeviceChoice::Flex.open().unwrap()
}

fn largest<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    values
        .into_iter()
        .fold(0.0, |most, value| most.max(value.abs()))
}

/// The largest difference as a share of the largest value that is expected.
fn error(found: &Array4<f32>, expected: &Array4<f32>) -> f32 {
    assert_eq!(found.dim(), expected.dim());
    assert!(largest(expected) > 0.0);
    largest(&(found - expected)) / largest(expected)
}

fn one(map: Vec<Map>) -> Array4<f32> {
    assert_eq!(map.len(), 1);
    map.into_iter().next().unwrap().values
}

fn explain<M: Explainable>(
    method: impl Explain<M> + 'static,
    model: &M,
    images: &Images,
) -> Array4<f32> {
    one(Panel::new()
        .with(method)
        .explain(model, images, TARGET)
        .unwrap())
}

/// Diagonal stripes; labels need not be consecutive.
fn stripes(h: usize, w: usize) -> Segments {
    Segments::map(Array2::from_shape_fn((h, w), |(y, x)| {
        7 + 10 * ((y + 2 * x) / 5)
    }))
}

fn grid() -> Segments {
    Segments::grid(4, 4)
}

#[test]
fn occlusion_and_ablation_are_captums() {
    let (network, images) = network("plain", &cpu());
    let check = |name: &str, found: Array4<f32>| {
        let error = error(&found, &expected(name));
        println!("{name} {error:e}");
        assert!(error < 1e-6, "{name}: off by {error:e}");
    };
    check(
        "occlusion",
        explain(Occlusion::default(), &network, &images),
    );
    let clipped = Occlusion {
        window: [4, 3],
        strides: [3, 2],
    };
    check("occlusion_clipped", explain(clipped, &network, &images));
    for (name, segments) in [
        ("feature_ablation", Segments::Values),
        ("feature_ablation_grid", grid()),
        ("feature_ablation_stripes", stripes(8, 8)),
    ] {
        check(
            name,
            explain(FeatureAblation { segments }, &network, &images),
        );
    }
}

#[test]
fn sampling_methods_are_captums_with_the_same_draws() {
    let (network, images) = network("plain", &cpu());
    let check = |name: &str, found: Array4<f32>| {
        let error = error(&found, &expected(name));
        println!("{name} {error:e}");
        assert!(error < 1e-5, "{name}: off by {error:e}");
    };
    for (name, segments) in [("grid", grid()), ("values", Segments::Values)] {
        if name == "grid" {
            let found = explain(shapley(segments.clone()), &network, &images);
            check("shapley_grid", found);
        }
        let found = explain(lime(segments.clone()), &network, &images);
        check(&format!("lime_{name}"), found);
        let found = explain(kernel_shap(segments), &network, &images);
        check(&format!("kernel_shap_{name}"), found);
    }
    let noisy = |method: SmoothGrad<Saliency>| method.noise(0.5);
    let saliency = SmoothGrad::of(Saliency);
    for method in [saliency, saliency.squared(), saliency.variance()].map(noisy) {
        check(method.name(), explain(method, &network, &images));
    }
    let times = SmoothGrad::of(InputXGradient).noise(0.5);
    for method in [times, times.squared(), times.variance()] {
        check(method.name(), explain(method, &network, &images));
    }
}

fn shapley(segments: Segments) -> ShapleyValueSampling {
    ShapleyValueSampling {
        segments,
        ..Default::default()
    }
}

fn lime(segments: Segments) -> Lime {
    Lime {
        segments,
        ..Default::default()
    }
}

fn kernel_shap(segments: Segments) -> KernelShap {
    KernelShap {
        segments,
        ..Default::default()
    }
}

type Scores = xai_core::Result<Array2<f32>>;
type AnyClosure = Closure<Box<dyn Fn(Array4<f32>) -> Scores>>;

/// A model of two classes on the host: class 1 has the score of each image `[c, h, w]`, class 0 its negative.
fn model(score: impl Fn(ArrayView3<f32>) -> f32 + 'static) -> AnyClosure {
    Closure(Box::new(move |images| {
        let scores = images.outer_iter().map(&score);
        let scores: Vec<f32> = scores.flat_map(|score| [-score, score]).collect();
        Ok(Array2::from_shape_vec((images.dim().0, 2), scores).unwrap())
    }))
}

/// The images that a method shows to a model, in order.
fn shown(method: impl Explain<AnyClosure> + 'static, images: &Images) -> Vec<Array3<f32>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let keep = seen.clone();
    let model = model(move |image| {
        keep.borrow_mut().push(image.to_owned());
        0.0
    });
    explain(method, &model, images);
    drop(model);
    Rc::into_inner(seen).unwrap().into_inner()
}

/// One image of the list by itself, with its index.
fn single(images: &Images, image: usize) -> Images {
    let range = image..image + 1;
    let pixels = images.pixels.slice(s![range, .., .., ..]).to_owned();
    Images::new(pixels, vec![images.class[image]]).with_index(vec![images.index[image]])
}

/// Writes the draws that `fixtures/perturbation/make.py` gives to Captum.
#[test]
#[ignore = "only when the fixtures are made anew"]
fn write_draws() {
    let (_, images) = network("plain", &cpu());
    let mut draws = serde_json::Map::new();
    for (name, segments) in [("grid", grid()), ("values", Segments::Values)] {
        let parts = segments.of([3, 8, 8]).unwrap();
        // Which parts of a variant are the image's. The first images a method shows are the image and the baseline.
        let coalitions = |variants: Vec<Array3<f32>>, known: usize, i: usize| -> Vec<Vec<bool>> {
            let image = images.pixels.index_axis(Axis(0), i).to_owned();
            let coalition = |variant: &Array3<f32>| {
                let mut there = vec![false; parts.count()];
                let pixels = variant.iter().zip(&image).zip(parts.labels());
                for ((value, pixel), &part) in pixels {
                    there[part] |= value == pixel;
                }
                there
            };
            variants[known..].iter().map(coalition).collect()
        };
        let text = |coalition: &Vec<bool>| -> String {
            coalition
                .iter()
                .map(|&there| if there { '1' } else { '0' })
                .collect()
        };
        let (mut orders, mut limes, mut kernels) = (vec![], vec![], vec![]);
        for i in 0..3 {
            let alone = single(&images, i);
            let steps = coalitions(shown(shapley(segments.clone()), &alone), 2, i);
            let orders_of = steps.chunks(parts.count() - 1).map(|steps| {
                let none = vec![false; parts.count()];
                let all = vec![true; parts.count()];
                let all: Vec<&Vec<bool>> = [&none].into_iter().chain(steps).chain([&all]).collect();
                let added = all.windows(2).map(|pair| {
                    (0..parts.count())
                        .find(|&part| pair[1][part] && !pair[0][part])
                        .unwrap()
                });
                added.collect::<Vec<usize>>()
            });
            orders.push(
                orders_of
                    .take(if name == "grid" { 25 } else { 0 })
                    .collect::<Vec<_>>(),
            );
            let found = coalitions(shown(lime(segments.clone()), &alone), 1, i);
            limes.push(found.iter().map(text).collect::<Vec<_>>());
            let found = coalitions(shown(kernel_shap(segments.clone()), &alone), 2, i);
            kernels.push(found.iter().map(text).collect::<Vec<_>>());
        }
        let drawn = serde_json::json!({"shapley": orders, "lime": limes, "kernel_shap": kernels});
        draws.insert(name.into(), drawn);
    }
    let noise: Vec<Vec<f32>> = noise_of(&images, 5, 0.5)
        .iter()
        .map(|noise| noise.iter().copied().collect())
        .collect();
    draws.insert("noise".into(), serde_json::json!(noise));
    let path = std::env::var("DRAWS").expect("set DRAWS to the file to write");
    std::fs::write(path, serde_json::to_string(&draws).unwrap()).unwrap();
}

/// A method whose attribution is the pixels themselves; it keeps them.
struct Pixels(Rc<RefCell<Vec<Array4<f32>>>>);

impl Method for Pixels {
    fn name(&self) -> &'static str {
        "pixels"
    }
}

impl<M> Explain<M> for Pixels {
    fn attribute(&self, batch: &Batch<'_, M>) -> xai_core::Result<xai_core::device::Tensor<4>> {
        let pixels = batch.pixels();
        let shape: [usize; 4] = pixels.dim().into();
        self.0.borrow_mut().push(pixels.to_owned());
        let values: Vec<f32> = pixels.iter().copied().collect();
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            batch.device(),
        ))
    }
}

/// The noise of each sample of SmoothGrad.
fn noise_of(images: &Images, samples: usize, stdev: f64) -> Vec<Array4<f32>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let method = SmoothGrad::of(Pixels(seen.clone()))
        .samples(samples)
        .noise(stdev);
    explain(method, &NoModel, images);
    let seen = Rc::into_inner(seen).unwrap().into_inner();
    seen.iter().map(|noisy| noisy - &images.pixels).collect()
}

#[test]
fn baselines_are_captums() {
    let (network, images) = network("relu_before_pool", &cpu());
    let mut flipped = images.pixels.index_axis(Axis(0), 2).to_owned();
    flipped.invert_axis(Axis(2));
    for (name, baseline) in [
        ("mean", Baseline::Mean),
        ("blurred", Baseline::Blurred(1.5)),
        ("image", Baseline::Image(flipped)),
    ] {
        // One image a batch, and all in one.
        for memory in [0, 1 << 30] {
            let panel = Panel::new()
                .memory(memory)
                .baseline(baseline.clone())
                .with(IntegratedGradients::default())
                .with(DeepLift)
                .with(Occlusion::default());
            for map in panel.explain(&network, &images, TARGET).unwrap() {
                let error = error(
                    &map.values,
                    &expected(&format!("pools_{}_{name}", map.method)),
                );
                println!("{} {name} {error:e}", map.method);
                assert!(error < 1e-5, "{} from {name}: off by {error:e}", map.method);
            }
        }
    }
}

/// A score in which five parts (and no channel) work together.
fn interplay(image: ArrayView3<f32>) -> f32 {
    let parts = quantities(image);
    let [a, b, c, d, e] = parts;
    (2.0 * a - b + a * b * 3.0 + (c * d * e).tanh() + (c - d).powi(2) + 0.5 * e) as f32
}

/// The mean of each of five columns.
fn quantities(image: ArrayView3<f32>) -> [f64; 5] {
    std::array::from_fn(|column| {
        let column = image.slice(s![.., .., column]);
        column.iter().map(|&value| f64::from(value)).sum::<f64>() / column.len() as f64
    })
}

fn columns() -> Segments {
    Segments::grid(1, 5)
}

fn a_picture() -> Images {
    let pixels = Array4::from_shape_fn((2, 2, 3, 5), |(n, c, y, x)| {
        (1.3 * x as f32 + 0.7 * y as f32 - c as f32 + 2.1 * n as f32).sin() + 0.2
    });
    Images::new(pixels, vec![0, 1]).with_index(vec![4, 9])
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
    let (network, images) = network("plain", &cpu());
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

    let smooth = SmoothGrad::of(DeepLift).samples(4).noise(0.25);
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
    let linear = BurnModel::new(score(1), cpu());
    let found = explain(ExpectedGradients::from(single.clone()), &linear, &images);
    assert!(error(&found, &(&images.pixels - &single)) < 1e-6);

    let quadratic = BurnModel::new(score(2), cpu());
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

/// A function with a gradient is explained as the network with the same layers is.
#[test]
fn a_module_with_a_gradient_is_explained_like_a_network() {
    let (layered, images) = network("vgg", &cpu());
    let parameters = autodiff::parameters(&layered);
    let forward = |images| {
        let scores = autodiff::forward(&layered, &parameters, images, false);
        let [n, classes, ..] = scores.dims();
        scores.reshape([n, classes])
    };
    let model = BurnModel::new(forward, cpu());
    fn all<M: xai_core::attribution::Differentiable>(
        model: &M,
        images: &Images,
        memory: usize,
    ) -> Vec<Map> {
        let panel = Panel::new()
            .memory(memory)
            .with(Saliency)
            .with(InputXGradient)
            .with(IntegratedGradients { steps: 7 })
            .with(GradientShap::default())
            .with(SmoothGrad::of(IntegratedGradients { steps: 2 }).noise(0.1))
            .with(ExpectedGradients::from(images.pixels.clone()))
            .with(FeatureAblation { segments: grid() });
        panel.explain(model, images, TARGET).unwrap()
    }
    let expected = all(&layered, &images, 1 << 30);
    for memory in [1 << 30, 0] {
        for (found, expected) in all(&model, &images, memory).iter().zip(&expected) {
            let error = error(&found.values, &expected.values);
            assert!(error < 1e-5, "{}: off by {error:e}", found.method);
        }
    }
}

/// In an even part of an image the maxima of a pooling tie and the first wins, as in Burn's own operations, also
/// in layers wide enough for the faster kernels and beside an image that has no such part.
#[test]
fn ties_on_a_path_go_to_the_first() {
    let config = xai_core::network::VggConfig {
        width_divisor: 2,
        pooled: 1,
        dropout: 0.0,
        classes: 2,
    };
    let network = config.init(false, 0, &cpu());
    let pixels = Array4::from_shape_fn((3, 3, 32, 32), |(n, c, y, x)| match n {
        1 => ((c * 1024 + y * 32 + x) as f32 * 12.9898).sin().abs(),
        _ if (6..24).contains(&y) && (6 + n..24).contains(&x) => 0.75,
        _ => 0.0,
    });
    let images = Images::new(pixels, vec![0; 3]);
    let parameters = autodiff::parameters(&network);
    let forward = |images| {
        let scores = autodiff::forward(&network, &parameters, images, false);
        let [n, classes, ..] = scores.dims();
        scores.reshape([n, classes])
    };
    let model = BurnModel::new(forward, cpu());
    let method = IntegratedGradients { steps: 5 };
    let found = explain(method, &network, &images);
    let expected = explain(method, &model, &images);
    for (image, (found, expected)) in found.outer_iter().zip(expected.outer_iter()).enumerate() {
        let largest = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let apart = (&found - &expected)
            .iter()
            .fold(0.0_f32, |most, v| most.max(v.abs()));
        assert!(
            apart < 1e-3 * largest,
            "image {image}: {apart:e} of {largest:e}"
        );
    }
}

/// Every method that draws, and the others.
fn everything<M: xai_core::attribution::Layered>(seed: u64) -> Panel<M> {
    Panel::new()
        .baseline(Baseline::Mean)
        .with(Occlusion::default())
        .with(FeatureAblation { segments: grid() })
        .with(ShapleyValueSampling {
            permutations: 3,
            seed,
            ..shapley(grid())
        })
        .with(Lime {
            seed,
            ..lime(grid())
        })
        .with(KernelShap {
            seed,
            ..kernel_shap(grid())
        })
        .with(Rise {
            masks: 20,
            seed,
            ..Default::default()
        })
        .with(SmoothGrad::of(Saliency).seed(seed))
        .with(SmoothGrad::of(lime(grid())).seed(seed))
        .with(SmoothGrad::of(DeepLift).variance().seed(seed))
        .with(ExpectedGradients {
            seed,
            ..ExpectedGradients::from(Array4::ones((2, 3, 8, 8)))
        })
}

/// The same bits with one image a pass or many, whatever the order of images, on one thread or two; other
/// bits with another seed.
#[test]
fn nothing_depends_on_batches_order_or_threads() {
    let (network, images) = network("plain", &cpu());
    let explain =
        |panel: Panel<Network>, images: &Images| panel.explain(&network, images, TARGET).unwrap();
    let whole = explain(everything(0), &images);
    let bytes = network.bytes([3, 8, 8]);
    for rows in [1, 2, 7] {
        for (a, b) in explain(everything(0).memory(rows * bytes), &images)
            .iter()
            .zip(&whole)
        {
            assert_eq!(a.values, b.values, "{} with {rows} images a pass", a.method);
        }
    }
    let mut pixels = images.pixels.clone();
    pixels.invert_axis(Axis(0));
    let reversed = Images::new(pixels, vec![0; 3]).with_index(vec![2, 1, 0]);
    for (mut a, b) in explain(everything(0), &reversed).into_iter().zip(&whole) {
        a.values.invert_axis(Axis(0));
        assert_eq!(a.values, b.values, "{}", a.method);
    }
    let mut draws = 0;
    for (a, b) in explain(everything(1), &images).iter().zip(&whole) {
        draws += usize::from(a.values != b.values);
    }
    assert_eq!(draws, 8, "methods that draw");
    for threads in ["1", "2"] {
        let program = std::env::current_exe().unwrap();
        let output = std::process::Command::new(program)
            .args(["--ignored", "--exact", "print_a_hash", "--nocapture"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let hash = format!("hash {:016x}", hash(&whole));
        assert!(
            printed.contains(&hash),
            "{threads} threads: {printed} {hash}"
        );
    }
}

#[test]
#[ignore = "run by another test"]
fn print_a_hash() {
    let (network, images) = network("plain", &cpu());
    let maps = everything(0).explain(&network, &images, TARGET).unwrap();
    println!("hash {:016x}", hash(&maps));
}

/// FNV-1a of all bits.
fn hash(maps: &[Map]) -> u64 {
    let values = maps.iter().flat_map(|map| &map.values);
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// No more images at a time than memory allows, and as many passes as the book says.
#[test]
fn passes_fit_into_memory_and_are_counted() {
    let images = Images::new(Array4::from_elem((2, 1, 6, 6), 0.5), vec![0, 0]);
    let passes = |panel: Panel<AnyClosure>| {
        let (most, all) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (m, a) = (most.clone(), all.clone());
        let model: AnyClosure = Closure(Box::new(move |images| {
            let n = images.dim().0;
            m.set(m.get().max(n));
            a.set(a.get() + n);
            Ok(Array2::ones((n, 2)))
        }));
        let two: Memory = format!("{}B", 2 * model.bytes([1, 6, 6])).parse().unwrap();
        panel
            .memory(two.bytes())
            .explain(&model, &images, TARGET)
            .unwrap();
        assert!(most.get() <= 2, "memory is for two images");
        all.get()
    };
    let segments = Segments::grid(2, 3);
    let ablation = FeatureAblation {
        segments: segments.clone(),
    };
    let (images_, baseline) = (2, 1);
    assert_eq!(
        passes(Panel::new().with(Occlusion::default())),
        images_ * (1 + 16)
    );
    assert_eq!(
        passes(Panel::new().with(ablation.clone())),
        images_ * (1 + 6)
    );
    let shapley = shapley(segments.clone());
    assert_eq!(
        passes(Panel::new().with(shapley)),
        images_ * (1 + 25 * 5) + baseline
    );
    assert_eq!(
        passes(Panel::new().with(lime(segments.clone()))),
        images_ * (1 + 50)
    );
    let kernel = kernel_shap(segments.clone());
    assert_eq!(
        passes(Panel::new().with(kernel.clone())),
        images_ * (1 + 23) + baseline
    );
    // The images' own scores are asked for once.
    let both = Panel::new().with(ablation.clone()).with(kernel);
    assert_eq!(passes(both), images_ * (1 + 6 + 23) + baseline);

    // Of a network they are those of the forward pass that the gradient needs anyway.
    let (network, images) = network("plain", &cpu());
    let ablation = FeatureAblation { segments: grid() };
    let before = layer_evaluations();
    let panel = Panel::new()
        .with(Saliency)
        .with(ablation)
        .with(Lrp::default());
    panel.explain(&network, &images, TARGET).unwrap();
    let passes = 3 * (1 + 16);
    assert_eq!(layer_evaluations() - before, passes * network.layers.len());
}

#[test]
fn what_cannot_be_explained_is_one_clear_error() {
    let images = a_picture();
    fn says<M: Explainable>(panel: Panel<M>, model: &M, images: &Images, words: &[&str]) {
        let problem = panel
            .explain(model, images, TARGET)
            .unwrap_err()
            .to_string();
        assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
        let word = words[0];
        assert_eq!(
            problem.matches(word).count(),
            1,
            "`{word}` is said once: {problem}"
        );
    }
    let fine = || model(|image| image.sum());
    let one = |method| Panel::new().with(method);
    // NaN names method and image: here the second one, whose index is 9, once its first column is hidden.
    let broken = model(|image| {
        if image[[0, 0, 0]] == 0.0 && image[[0, 0, 4]] > 0.9 {
            f32::NAN
        } else {
            1.0
        }
    });
    let nan: &[&str] = &["feature_ablation", "image 9", "NaN"];
    let ablation = || FeatureAblation {
        segments: columns(),
    };
    says(Panel::new().with(ablation()), &broken, &images, nan);
    let (mut network, pictures) = network("plain", &cpu());
    let xai_core::network::Layer::Conv2d(conv) = &mut network.layers[0] else {
        panic!("it begins with a convolution")
    };
    conv.weight = conv.weight.clone() * f32::NAN;
    says(
        Panel::new().with(Deconvolution).with(Saliency),
        &network,
        &pictures,
        &["deconvolution of image 0", "NaN"],
    );

    let of_three: AnyClosure = Closure(Box::new(|_| Ok(Array2::zeros((3, 2)))));
    says(
        one(Occlusion::default()),
        &of_three,
        &images,
        &["occlusion", "3 rows", "2 images"],
    );
    let of_one: AnyClosure = Closure(Box::new(|images| Ok(Array2::zeros((images.dim().0, 1)))));
    says(
        one(Occlusion::default()),
        &of_one,
        &images,
        &["occlusion", "class 1", "1 classes"],
    );
    let failing: AnyClosure = Closure(Box::new(|_| Err(xai_core::Error::invalid("no connection"))));
    says(
        one(Occlusion::default()),
        &failing,
        &images,
        &["occlusion", "no connection"],
    );

    for (window, strides) in [
        ([4, 4], [1, 1]),
        ([0, 1], [1, 1]),
        ([2, 2], [3, 1]),
        ([2, 2], [0, 1]),
    ] {
        says(
            one(Occlusion { window, strides }),
            &fine(),
            &images,
            &["occlusion", "[3, 5]"],
        );
    }
    let segments = |segments| Panel::new().with(FeatureAblation { segments });
    says(
        segments(Segments::grid(4, 5)),
        &fine(),
        &images,
        &["4 x 5 rectangles", "3 x 5 pixels"],
    );
    says(
        segments(Segments::grid(0, 5)),
        &fine(),
        &images,
        &["0 x 5 rectangles"],
    );
    says(
        segments(stripes(4, 5)),
        &fine(),
        &images,
        &["(4, 5)", "(3, 5)"],
    );
    let none = Rise {
        masks: 0,
        ..Default::default()
    };
    says(
        Panel::new().with(none),
        &fine(),
        &images,
        &["rise", "0 masks"],
    );
    let few = KernelShap {
        samples: 1,
        ..Default::default()
    };
    says(
        Panel::new().with(few),
        &fine(),
        &images,
        &["kernel_shap", "two samples"],
    );
    let small = Baseline::Image(Array3::zeros((2, 3, 4)));
    says(
        one(Occlusion::default()).baseline(small),
        &fine(),
        &images,
        &["the baseline", "[2, 3, 5]"],
    );
    let sharp = Baseline::Blurred(0.0);
    says(
        one(Occlusion::default()).baseline(sharp),
        &fine(),
        &images,
        &["blurred by 0", "above 0"],
    );
    let alone = ExpectedGradients::from(Array4::zeros((0, 3, 8, 8)));
    let (network, pictures) = self::network("plain", &cpu());
    says(
        Panel::new().with(alone),
        &network,
        &pictures,
        &["expected_gradients", "0 baselines"],
    );
}

#[test]
fn methods_are_found_by_their_names() {
    for method in methods::METHODS {
        assert_eq!(
            methods::named::<Network>(method.name, 0).unwrap().name(),
            method.name
        );
    }
    let problem = |name| {
        methods::named::<Network>(name, 0)
            .err()
            .unwrap()
            .to_string()
    };
    let near = problem("ocllusion");
    assert!(
        near.contains("did you mean `occlusion`?") && near.contains("kernel_shap"),
        "{near}"
    );
    assert!(!problem("xyz").contains("did you mean"));
    let notes = methods::notes(&["saliency", "input_x_gradient", "lrp"]);
    assert!(
        notes.len() == 1 && notes[0].contains("lrp and input_x_gradient"),
        "{notes:?}"
    );
    assert!(methods::notes(&["saliency", "lrp"]).is_empty());
}

/// The listings of the book's page on methods; and all kinds of models in `explain!`.
#[test]
fn the_books_listings() -> xai_core::Result<()> {
    let (network, images) = network("plain", &cpu());
    let my_service = |images: Array4<f32>| Ok(Array2::from_elem((images.dim().0, 2), 0.5));
    let labels = Array2::from_shape_fn((8, 8), |(y, _)| y / 2);
    // ANCHOR: closure
    let model = Closure(|images: Array4<f32>| my_service(images));
    let maps = explain! {
        model = model, input = images, target = 0,
        methods = [
            KernelShap { segments: Segments::grid(4, 4), samples: 500, seed: 0 },
            FeatureAblation { segments: Segments::map(labels) }, // the pixels of a label are a part
        ]
    }?;
    // ANCHOR_END: closure
    assert_eq!(largest(&maps.kernel_shap.values), 0.0);
    assert_eq!(largest(&maps.feature_ablation.values), 0.0);
    // ANCHOR: baseline
    let maps = explain! {
        model = network, input = images, target = 1, baseline = Baseline::Blurred(2.0),
        methods = [IntegratedGradients { steps: 50 }, Occlusion::default()]
    }?;
    // ANCHOR_END: baseline
    let panel = Panel::new()
        .baseline(Baseline::Blurred(2.0))
        .with(Occlusion::default());
    let expected = one(panel.explain(&network, &images, TARGET)?);
    assert_eq!(maps.occlusion.values, expected);
    assert_ne!(explain(Occlusion::default(), &network, &images), expected);
    assert_eq!(maps.integrated_gradients.values.dim(), expected.dim());
    Ok(())
}
