//! A GPU computes the same as our kernels on the CPU, for every method and for training, with both kinds of products. The
//! GPU is the one named by `XAI_DEVICE`. Without it, the CPU runs the code of a GPU: Burn's own operations instead of our
//! kernels.

use ndarray::{Array1, Array3};
use tests::{CAPTUM_NETWORKS, Fixture, cpu, device, error, largest};
use xai_core::attribution::{
    DeepLift, GradientShap, InputXGradient, IntegratedGradients, Lrp, Panel, Saliency, Segments,
    Sobel, methods,
};
use xai_core::dataset::Dataset;
use xai_core::device::{Copies, Device, Products, as_on_gpu, copies};
use xai_core::lesions::paper_plan;
use xai_core::metrics::{Auroc, Channels, Combine, Precision, Sign};
use xai_core::network::{Layer, Network, VggConfig};
use xai_core::random;
use xai_core::training::{Examples, Sgd, TrainingPlan, backward, fit};

/// Both kinds of products: neither a CPU nor Vulkan rounds to TF32, so that there both must agree with ours.
const BOTH: [Products; 2] = [Products::Fast, Products::F32];

/// What `compute` gives on the GPU, or on a CPU by its code.
fn on_gpu<T>(products: Products, compute: impl FnOnce(&Device) -> T) -> T {
    as_on_gpu(products, || compute(&device()))
}

/// Every method that has a name, with parts of the image for those that want some.
fn methods_of(with_scores: bool) -> Panel<Network> {
    let settings = methods::Settings {
        segments: Segments::grid(4, 4),
        ..Default::default()
    };
    let all = methods::all::<Network>().into_iter();
    let wanted = all.filter(|known| with_scores || known.needs != methods::Needs::Scores);
    wanted.fold(Panel::new(), |panel, known| {
        let method = methods::named(known.name, settings.clone());
        panel.with(method.expect("its own name"))
    })
}

/// How far a method may be off on a network, as a share of its largest value.
///
/// - The numbers of `ties` have so few digits that sums meet and maxima tie exactly. At the points of a path they do so but
///   for the last digit, and whoever sums in another order takes another pixel; Captum's own values are none there. It is
///   the same with products in 32 bits, which are sums of three.
/// - On `smooth` relevance and multipliers are quotients of sums that nearly cancel, and by the rule for a box everywhere.
fn tolerance(method: &str, network: &str, products: Products) -> f32 {
    let path = matches!(method, "integrated_gradients" | "gradient_shap");
    match (method, network, products) {
        (_, _, Products::F32) if path => 1e-2,
        (_, "ties", Products::Fast) if path => 1e-3,
        ("lrp_epsilon_gamma_box", ..) => 1e-4,
        (_, "smooth", _) => 3e-5,
        _ => 1e-5,
    }
}

#[test]
fn every_method_gives_what_the_kernels_give() {
    let mut problems = Vec::new();
    for name in CAPTUM_NETWORKS {
        let fixture = Fixture::read(&format!("captum/{name}.safetensors"));
        let images = fixture.images();
        // Perturbations only ask for scores: two networks will do.
        let with_scores = ["plain", "residual"].contains(&name);
        let explain = |device: &Device| {
            methods_of(with_scores)
                .explain(&fixture.network_on(device), &images, 1)
                .unwrap()
        };
        let expected = explain(&cpu());
        for products in BOTH {
            for (found, expected) in on_gpu(products, explain).iter().zip(&expected) {
                let (method, error) = (found.method, error(&found.values, &expected.values));
                if error > tolerance(method, name, products) {
                    problems.push(format!("{name}, {method}, {products:?}: off by {error:e}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Heat maps are combined on the device then, by each policy to the same map.
#[test]
fn scores_are_the_same() {
    let fixture = Fixture::read("captum/vgg.safetensors");
    let images = fixture.images();
    let (n, _, h, w) = images.pixels.dim();
    let truth = Array3::from_shape_fn((n, h, w), |(i, y, x)| (i + x + 2 * y) % 3 == 0);
    let images = images.with_truth(truth);
    for sign in [Sign::Absolute, Sign::Positive, Sign::Signed] {
        for channels in [Channels::Luma, Channels::Sum, Channels::MaxAbs] {
            let combine = Combine { sign, channels };
            let panel = || {
                Panel::new()
                    .with(InputXGradient)
                    .with(Sobel)
                    .combine(combine)
            };
            let score = |device: &Device| {
                panel()
                    .score(&fixture.network_on(device), &images, &(Precision, Auroc))
                    .unwrap()
            };
            let (expected, found) = (score(&cpu()), on_gpu(Products::Fast, score));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let same = (found.value - expected.value).abs() < 1e-6;
                assert!(same, "{combine:?}: {found:?}, not {expected:?}");
            }
        }
    }
}

#[test]
fn training_steps_have_the_kernels_gradients() {
    let config = VggConfig {
        width_divisor: 16,
        pooled: 2,
        dropout: 0.0,
        classes: 3,
    };
    for batch_norm in [false, true] {
        let (images, class) = pictures(6);
        let images = Dataset::grey(images, class.clone()).unwrap();
        let step = |device: &Device| {
            let mut network = config.init(batch_norm, 1, device);
            let x = Examples::of(&images, device).first(6, &network);
            let step = backward::step(&mut network, x, &class, &mut random::stream(0, "test"));
            let layers = network.layers.iter();
            let layers = layers.filter(|layer| layer.has_parameters());
            let last = step.gradients.len() - 1;
            let gradients = layers.zip(step.gradients).enumerate();
            let numbers = gradients.flat_map(|(at, (layer, gradients))| {
                // The bias before a batch norm has no influence: its gradient is rounding.
                let counts = !batch_norm || at == last || matches!(layer, Layer::BatchNorm2d(_));
                [
                    Some(gradients.weight.into_numbers()),
                    gradients.bias.filter(|_| counts),
                ]
            });
            let numbers = numbers
                .flatten()
                .map(|g| g.into_data().into_vec::<f32>().unwrap());
            numbers.map(Array1::from).collect::<Vec<_>>()
        };
        let expected = step(&cpu());
        let most = expected.iter().map(largest).fold(0.0, f32::max);
        for products in BOTH {
            for (found, expected) in on_gpu(products, step).iter().zip(&expected) {
                let scale = largest(expected).max(1e-4 * most);
                let error = largest(&(found - expected)) / scale;
                // Through mean and variance go differences of large sums.
                let tolerance = if batch_norm { 3e-4 } else { 1e-4 };
                assert!(
                    error < tolerance,
                    "{products:?}, {} numbers: off by {error:e}",
                    found.len()
                );
            }
        }
    }
}

#[test]
fn a_training_learns_what_it_learns_with_the_kernels() {
    let config = VggConfig {
        width_divisor: 16,
        pooled: 1,
        dropout: 0.5,
        classes: 2,
    };
    let (images, class) = pictures(48);
    let images = Dataset::grey(images, class).unwrap();
    let plan = TrainingPlan {
        epochs: 2,
        batch: 16,
        ..paper_plan(Sgd::rate(0.01).momentum(0.5))
    };
    let train = |device: &Device| {
        let start = config.init(false, 0, device);
        let examples = Examples::of(&images, device);
        fit(&start, 0, &examples, &examples, &plan, 0, |_, _| Ok(()))
            .unwrap()
            .history
    };
    let expected = train(&cpu());
    for products in BOTH {
        for (found, expected) in on_gpu(products, train).iter().zip(&expected) {
            let difference = (found.loss - expected.loss).abs();
            assert!(
                difference < 1e-4 * expected.loss,
                "{products:?}: {found:?} {expected:?}"
            );
        }
    }
}

/// What is copied between host and device: the book's table ("What goes over the bus").
#[test]
fn a_panel_brings_back_one_map_a_method_and_image() {
    let fixture = Fixture::read("captum/vgg.safetensors");
    let (network, images) = (fixture.network(), fixture.images());
    let (n, c, h, w) = images.pixels.dim();
    let images = images.with_truth(Array3::from_elem((n, h, w), true));
    let panel = Panel::new()
        .with(IntegratedGradients { steps: 6 })
        .with(GradientShap::default())
        .with(DeepLift)
        .with(Saliency)
        .with(Lrp::epsilon(1e-9));
    let (methods, points) = (5, 6 + 5);
    let score = || panel.score(&network, &images, &Precision).unwrap();
    let copied = during(|| as_on_gpu(Products::Fast, score));
    let (map, image) = (n * h * w * 4, n * c * h * w * 4);
    // Beside the maps, a few numbers an image for the check of completeness: the scores of the two ends of the path.
    let checks = copied.downloads - methods;
    assert!(checks <= 6, "{copied:?}");
    let of_checks = copied.downloaded - methods * map;
    assert!(of_checks <= 256 * checks, "{copied:?}");
    // The images and the baseline, and a few numbers a method and a pass: where it starts from, and the points.
    assert!(copied.uploads <= 2 + methods + 2 * points, "{copied:?}");
    assert!(
        copied.uploaded <= 2 * image + 1000 * copied.uploads,
        "{copied:?}"
    );
}

/// A GPU that had to bring something back at each step would stand still meanwhile.
#[test]
fn a_training_brings_back_logits_once_an_epoch() {
    let config = VggConfig {
        width_divisor: 16,
        pooled: 1,
        dropout: 0.5,
        classes: 2,
    };
    let (network, device) = (config.init(false, 0, &device()), device());
    let (images, class) = pictures(12);
    let examples = Examples::of(&Dataset::grey(images, class).unwrap(), &device);
    let plan = TrainingPlan::new(Sgd::rate(0.01).momentum(0.5), 2, 4);
    let train = || fit(&network, 0, &examples, &examples, &plan, 0, |_, _| Ok(())).unwrap();
    let copied = during(|| as_on_gpu(Products::Fast, train));
    let (epochs, steps) = (2, 2 * 3);
    // Those of the training images and those of the validation images, two numbers each.
    assert_eq!(
        (copied.downloads, copied.downloaded),
        (epochs * 2, epochs * 2 * 12 * 2 * 4)
    );
    // Which images, their classes, and the masks of two dropouts.
    assert_eq!(copied.uploads, steps * 4, "{copied:?}");
}

/// What `compute` copies.
fn during<T>(compute: impl FnOnce() -> T) -> Copies {
    let before = copies();
    compute();
    let after = copies();
    Copies {
        uploads: after.uploads - before.uploads,
        uploaded: after.uploaded - before.uploaded,
        downloads: after.downloads - before.downloads,
        downloaded: after.downloaded - before.downloaded,
    }
}

/// Grey images of two classes: stripes that lie and stripes that stand.
fn pictures(count: usize) -> (Array3<f32>, Vec<u8>) {
    let class: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
    let images = Array3::from_shape_fn((count, 32, 32), |(image, y, x)| {
        let (along, across) = if image % 2 == 0 { (x, y) } else { (y, x) };
        let wave = (0.9 * along as f32 + image as f32).sin() + 0.2 * (across as f32 * 0.3).cos();
        0.5 + 0.3 * wave
    });
    (images, class)
}
