//! Attributions against Captum's on small networks (`fixtures/captum/make.py`), and what holds for
//! them by definition: the gradient is autodiff's, integrated gradients and DeepLIFT are complete,
//! batches do not matter, and a panel runs no forward pass twice.

mod autodiff;

use std::path::PathBuf;

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, Array4, Array5, Axis};
use safetensors::SafeTensors;
use xai_core::attribution::{
    Deconvolution, DeepLift, Explain, GradientShap, GuidedBackprop, Images, InputXGradient,
    IntegratedGradients, Intensity, Laplace, Lrp, Map, NoModel, Panel, Saliency, Sobel, Targets,
    layer_evaluations,
};
use xai_core::device::{Device, DeviceChoice};
use xai_core::network::{Network, json};
use xai_core::score::{Metric, Precision, combine};

const NETWORKS: [&str; 13] = [
    "plain",
    "strided",
    "overlapping_pools",
    "relu_before_pool",
    "pool_first",
    "enlarging_average",
    "batch_norm",
    "ties",
    "vgg",
    "average_pools",
    "smooth",
    "residual",
    "nested",
];

/// A network, images, and what Captum says about them.
struct Fixture {
    bytes: Vec<u8>,
    network: Network,
    images: Images,
    classes: usize,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/captum");
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let network = network(&bytes, &cpu());
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (shape, values) = tensor(&file, "input");
        let input =
            Array4::from_shape_vec([shape[0], shape[1], shape[2], shape[3]], values).unwrap();
        let (logits, _) = tensor(&file, "logits");
        let class = vec![0; shape[0]];
        Self {
            network,
            images: Images::new(input, class),
            classes: logits[1],
            bytes,
        }
    }

    /// Captum's attributions of a class, if it has that method for this network.
    fn captum(&self, method: &str, class: usize) -> Option<Array4<f32>> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        file.tensor(method).ok()?;
        let (s, values) = tensor(&file, method);
        let all = Array5::from_shape_vec([s[0], s[1], s[2], s[3], s[4]], values).unwrap();
        Some(all.index_axis_move(Axis(0), class))
    }

    fn logits(&self) -> Array2<f32> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let (s, values) = tensor(&file, "logits");
        Array2::from_shape_vec([s[0], s[1]], values).unwrap()
    }

    fn input(&self) -> xai_core::device::Tensor<4> {
        let (n, c, h, w) = self.images.pixels.dim();
        let values = self.images.pixels.iter().copied().collect();
        Tensor::from_data(TensorData::new(values, [n, c, h, w]), &cpu())
    }
}

fn network(bytes: &[u8], device: &Device) -> Network {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let description = &metadata.metadata().as_ref().unwrap()["network"];
    json::network(
        description,
        &SafeTensors::deserialize(bytes).unwrap(),
        device,
    )
    .unwrap()
}

fn cpu() -> Device {
    DeviceChoice::Flex.open().unwrap()
}

fn tensor(file: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter();
    let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (tensor.shape().to_vec(), values)
}

fn the_eight() -> Panel<Network> {
    Panel::new()
        .with(IntegratedGradients::default())
        .with(GradientShap::default())
        .with(DeepLift)
        .with(Saliency)
        .with(InputXGradient)
        .with(GuidedBackprop)
        .with(Deconvolution)
        .with(Lrp::epsilon(1e-9))
}

fn explain(network: &Network, images: &Images, class: usize) -> Vec<Map> {
    the_eight().explain(network, images, class).unwrap()
}

fn explain_by(
    method: impl Explain<Network> + 'static,
    fixture: &Fixture,
    class: usize,
) -> Array4<f32> {
    let panel = Panel::new().with(method);
    let mut maps = panel
        .explain(&fixture.network, &fixture.images, class)
        .unwrap();
    maps.remove(0).values
}

fn largest<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    values
        .into_iter()
        .fold(0.0, |most, value| most.max(value.abs()))
}

/// The largest difference as a share of the largest value that is expected.
fn error(found: &Array4<f32>, expected: &Array4<f32>) -> f32 {
    assert_eq!(found.dim(), expected.dim());
    assert!(found.iter().all(|value| value.is_finite()));
    largest(&(found - expected)) / largest(expected).max(f32::MIN_POSITIVE)
}

#[test]
fn logits_are_torchs() {
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        let found = fixture.network.forward(fixture.input()).into_data();
        let expected = fixture.logits();
        let found = Array2::from_shape_vec(expected.dim(), found.into_vec().unwrap()).unwrap();
        assert!(
            largest(&(&found - &expected)) < 1e-5 * largest(&expected),
            "{name}"
        );
    }
}

#[test]
fn every_method_gives_captums_values() {
    let mut compared = 0;
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        for class in 0..fixture.classes {
            for map in explain(&fixture.network, &fixture.images, class) {
                let Some(expected) = fixture.captum(map.method, class) else {
                    continue;
                };
                let error = error(&map.values, &expected);
                assert!(
                    error < 1e-5,
                    "{name}, class {class}, {}: off by {error:e}",
                    map.method
                );
                compared += 1;
            }
        }
    }
    // 33 classes and 8 methods; where sums tie, the 2 methods on a path have no expected values.
    assert_eq!(compared, 33 * 8 - 3 * 2);
}

/// Captum's own DeepLIFT, defect included; it differs from the published rule by the named share.
#[test]
fn captums_deep_lift_is_there_to_compare() {
    for name in [
        "relu_before_pool",
        "overlapping_pools",
        "enlarging_average",
        "batch_norm",
        "ties",
        "vgg",
        "smooth",
        "residual",
    ] {
        let fixture = Fixture::read(name);
        for class in 0..fixture.classes {
            let expected = fixture.captum("deep_lift_captum", class).unwrap();
            let error_of = |found| error(&found, &expected);
            let ours = error_of(explain_by(DeepLift::captum(), &fixture, class));
            assert!(ours < 1e-5, "{name}, class {class}: off by {ours:e}");
            assert!(
                error_of(explain_by(DeepLift, &fixture, class)) > 0.01,
                "{name}"
            );
        }
    }
}

#[test]
fn shap_looks_where_the_fixtures_say() {
    for name in NETWORKS {
        let file = Fixture::read(name);
        let (_, expected) = tensor(&SafeTensors::deserialize(&file.bytes).unwrap(), "alphas");
        let drawn: Vec<f32> = (0..3)
            .flat_map(|i| GradientShap::default().alphas(i))
            .collect();
        assert_eq!(drawn, expected);
    }
}

#[test]
fn the_gradient_is_autodiffs() {
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        let parameters = autodiff::parameters(&fixture.network);
        for class in 0..fixture.classes {
            let x = autodiff::watched(&fixture.input());
            let scores = autodiff::forward(&fixture.network, &parameters, x.clone(), false);
            let score = scores.narrow(1, class, 1).sum();
            let gradient = x.grad(&score.backward()).unwrap().abs().into_data();
            let found = explain_by(Saliency, &fixture, class);
            let gradient = Array4::from_shape_vec(found.dim(), gradient.into_vec().unwrap());
            assert!(
                error(&found, &gradient.unwrap()) < 1e-5,
                "{name}, class {class}"
            );
        }
    }
}

#[test]
fn deep_lift_and_integrated_gradients_are_complete() {
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        let scores = fixture.logits();
        let zero = fixture
            .network
            .forward(fixture.input().zeros_like())
            .into_data();
        let zero = zero.into_vec::<f32>().unwrap();
        let zero = Array2::from_shape_vec(scores.dim(), zero).unwrap();
        let owed = &scores - &zero;
        let tolerance = largest(&owed);
        for class in 0..fixture.classes {
            let gap = |maps: Array4<f32>| -> f32 {
                let sums = maps.sum_axis(Axis(3)).sum_axis(Axis(2)).sum_axis(Axis(1));
                largest(&(sums - owed.column(class)))
            };
            let deep_lift = gap(explain_by(DeepLift, &fixture, class));
            assert!(
                deep_lift < 1e-5 * tolerance,
                "{name}, class {class}: {deep_lift:e}"
            );
            let gradients = gap(explain_by(
                IntegratedGradients { steps: 1000 },
                &fixture,
                class,
            ));
            assert!(
                gradients < 5e-3 * tolerance,
                "{name}, class {class}: {gradients:e}"
            );
        }
    }
}

/// The same image gets the same explanation alone, in company, and with memory for one image a pass.
#[test]
fn batches_do_not_matter() {
    let fixture = Fixture::read("vgg");
    let together = explain(&fixture.network, &fixture.images, 1);
    let sparing = the_eight().memory(0);
    let sparing = sparing
        .explain(&fixture.network, &fixture.images, 1)
        .unwrap();
    let last = fixture
        .images
        .pixels
        .slice_axis(Axis(0), (2..3).into())
        .to_owned();
    let last = Images::new(last, vec![0]).with_index(vec![2]);
    let alone = explain(&fixture.network, &last, 1);
    for ((a, b), c) in together.iter().zip(&sparing).zip(&alone) {
        assert_eq!(a.values, b.values, "{}", a.method);
        let a = a.values.index_axis(Axis(0), 2);
        assert_eq!(a, c.values.index_axis(Axis(0), 0), "{}", b.method);
    }
}

/// The eight methods together run each image through the network once, the baseline once, and of
/// points on a path only what lies behind the first ReLU or pooling.
#[test]
fn a_panel_runs_no_forward_pass_twice() {
    let fixture = Fixture::read("vgg");
    let (images, layers) = (fixture.images.len(), fixture.network.layers.len());
    let before = layer_evaluations();
    explain(&fixture.network, &fixture.images, 0);
    let paths = (50 + 5) * images * (layers - 1);
    assert_eq!(layer_evaluations() - before, (images + 1) * layers + paths);

    let before = layer_evaluations();
    let filters = Panel::new().with(Sobel).with(Laplace);
    filters
        .explain(&fixture.network, &fixture.images, 0)
        .unwrap();
    assert_eq!(layer_evaluations(), before, "a filter needs no model");
}

/// A grey image is the same as one with three equal channels.
#[test]
fn grey_images_are_repeated() {
    let fixture = Fixture::read("vgg");
    let grey = fixture.images.pixels.index_axis(Axis(1), 0).to_owned();
    let views = [grey.view(), grey.view(), grey.view()];
    let coloured = Images::new(ndarray::stack(Axis(1), &views).unwrap(), vec![0; 3]);
    let from_grey = explain(&fixture.network, &Images::grey(grey.clone(), vec![0; 3]), 0);
    for (a, b) in from_grey
        .iter()
        .zip(explain(&fixture.network, &coloured, 0))
    {
        assert_eq!(a.values, b.values);
    }
}

/// Scores are those of the maps: the truth here is where the image is brightest, which raw intensity
/// finds and a filter does not.
#[test]
fn scores_belong_to_their_images_and_methods() {
    let fixture = Fixture::read("vgg");
    let grey = fixture.images.pixels.index_axis(Axis(1), 0).to_owned();
    let images = Images::grey(grey.clone(), vec![1, 0, 1]).with_index(vec![7, 8, 9]);
    let panel = || Panel::new().with(Intensity).with(Saliency).with(Sobel);
    let missing = panel()
        .score(&fixture.network, &images, &Precision)
        .unwrap_err();
    assert!(missing.to_string().contains("truth"), "{missing}");

    let images = images.with_truth(grey.mapv(|value| value > 0.8));
    let truth = images.truth.as_ref().unwrap();
    let scores = panel()
        .score(&fixture.network, &images, &Precision)
        .unwrap();
    let maps = panel()
        .explain(&fixture.network, &images, Targets::TrueClass)
        .unwrap();
    assert_eq!(scores.len(), 9);
    for (row, score) in scores.iter().enumerate() {
        let (map, image) = (&maps[row / 3], row % 3);
        assert_eq!(score.method, map.method);
        assert_eq!(score.image, [7, 8, 9][image]);
        assert_eq!(score.class, [1, 0, 1][image]);
        let heat = combine(map.values.index_axis(Axis(0), image)).unwrap();
        let expected = Precision
            .score(heat.view(), truth.index_axis(Axis(0), image))
            .unwrap();
        assert_eq!(Some(score.value), expected);
        assert_eq!(score.value == 1.0, score.method == "intensity");
    }
    let without_model = Panel::new().with(Intensity).with(Sobel);
    let without_model = without_model.score(&NoModel, &images, &Precision).unwrap();
    assert_eq!(
        [&without_model[..3], &without_model[3..]],
        [&scores[..3], &scores[6..]]
    );
}

#[test]
fn what_does_not_fit_is_one_clear_error() {
    let fixture = Fixture::read("vgg");
    let says = |images: &Images, class: usize, panel: Panel<Network>, words: &[&str]| {
        let error = panel
            .explain(&fixture.network, images, class)
            .unwrap_err()
            .to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let one = || Panel::new().with(Saliency);
    let images = |channels, size, classes| {
        Images::new(Array4::zeros((2, channels, size, size)), vec![0; classes])
    };
    says(
        &images(2, 16, 2),
        0,
        one(),
        &["layer 0", "3 channels", "[2, 16, 16]"],
    );
    says(
        &images(3, 2, 2),
        0,
        one(),
        &["layer 9", "windows of [2, 2]"],
    );
    says(&images(3, 16, 1), 0, one(), &["2 images but 1 classes"]);
    says(
        &images(3, 16, 2),
        2,
        one(),
        &["class 2", "2 classes, 0 to 1"],
    );
    says(
        &images(3, 16, 2),
        0,
        one().with(Saliency),
        &["two methods", "`saliency`"],
    );
    let no_steps = Panel::new().with(IntegratedGradients { steps: 0 });
    says(&images(3, 16, 2), 0, no_steps, &["at least one step"]);
}

#[test]
fn weights_that_do_not_fit_are_all_named() {
    let fixture = Fixture::read("plain");
    let file = SafeTensors::deserialize(&fixture.bytes).unwrap();
    let error = |description: &str| {
        json::network(description, &file, &cpu())
            .unwrap_err()
            .to_string()
    };
    let found = error(
        r#"[{"conv2d": {"in": 1, "out": 4, "kernel": 3}}, "relu", {"linear": {"in": 9, "out": 2}}]"#,
    );
    for part in [
        "0.weight: is [4, 3, 3, 3], should be [4, 1, 3, 3]",
        "2.weight: is [5, 4, 3, 3], should be [2, 9]",
        "2.bias: is [5], should be [2]",
    ] {
        assert!(found.contains(part), "{found}");
    }
    assert!(!found.contains("0.bias: is"), "{found}");
    let found = error(r#"[{"batch_norm2d": {"features": 4}}]"#);
    assert!(
        found.contains("0.running_var: missing, should be [4]"),
        "{found}"
    );
    for (description, words) in [
        (r#"["softplus"]"#, "unknown variant `softplus`"),
        (
            r#"[{"conv2d": {"in": 1, "out": 1, "kernel": 3, "dilation": 2}}]"#,
            "unknown field `dilation`",
        ),
        (r#"[{"max_pool2d": {"kernel": 0}}]"#, "at least 1"),
        (
            r#"[{"max_pool2d": {"kernel": 2, "padding": 2}}]"#,
            "half of its kernel",
        ),
        (r#"[{"dropout": 2}]"#, "no probability"),
        (
            r#"[{"linear": {"in": 0, "out": 2}}]"#,
            "0 channels or features",
        ),
    ] {
        let found = error(description);
        assert!(found.contains(words), "{found}");
    }
}
