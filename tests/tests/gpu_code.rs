//! The code that a GPU runs, on a CPU: Burn's own operations in place of our kernels. It gives what the kernels
//! give, for every method and for training, with products of either kind. (That a GPU gives the same is for
//! `tests/gpu` to show.)

use ndarray::{Array1, Array3};
use tests::{CAPTUM_NETWORKS, Fixture, cpu, error, largest};
use xai_core::attribution::{InputXGradient, Panel, Segments, Sobel, methods};
use xai_core::dataset::Dataset;
use xai_core::device::{Products, as_on_gpu};
use xai_core::lesions::paper_plan;
use xai_core::metrics::{Auroc, Channels, Combine, Precision, Sign};
use xai_core::network::{Layer, Network, VggConfig};
use xai_core::random;
use xai_core::training::{Examples, Sgd, TrainingPlan, backward, fit};

/// Both kinds of products: a CPU's kernels do not round to TF32, so that here both must agree with ours.
const BOTH: [Products; 2] = [Products::Fast, Products::F32];

/// Every method that has a name, with parts of the image for those that want some.
fn methods_of(with_scores: bool) -> Panel<Network> {
    let settings = methods::Settings {
        segments: Segments::grid(4, 4),
        ..Default::default()
    };
    let wanted = |entry: &&methods::Entry| with_scores || entry.needs != methods::Needs::Scores;
    let entries = methods::METHODS.iter().filter(wanted);
    entries.fold(Panel::new(), |panel, entry| {
        let method = methods::named(entry.name, settings.clone());
        panel.with(method.expect("its own name"))
    })
}

/// How far a method may be off, as a share of its largest value.
///
/// At one of the points of a path a ReLU or a maximum may hang on the last digit, in which the two kinds of products
/// differ; that changes the whole gradient there. The rule for a box divides by sums that nearly cancel.
fn tolerance(method: &str, products: Products) -> f32 {
    match (method, products) {
        ("integrated_gradients" | "gradient_shap", Products::F32) => 1e-2,
        ("lrp_epsilon_gamma_box", _) => 1e-4,
        _ => 1e-5,
    }
}

#[test]
fn every_method_gives_what_the_kernels_give() {
    let mut problems = Vec::new();
    for name in CAPTUM_NETWORKS {
        let fixture = Fixture::read(&format!("captum/{name}.safetensors"));
        let (network, images) = (fixture.network(), fixture.images());
        // Perturbations only ask for scores: two networks will do.
        let with_scores = ["plain", "residual"].contains(&name);
        let explain = || {
            methods_of(with_scores)
                .explain(&network, &images, 1)
                .unwrap()
        };
        let expected = explain();
        for products in BOTH {
            for (found, expected) in as_on_gpu(products, explain).iter().zip(&expected) {
                let (method, error) = (found.method, error(&found.values, &expected.values));
                if error > tolerance(method, products) {
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
    let (network, images) = (fixture.network(), fixture.images());
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
            let score = || {
                panel()
                    .score(&network, &images, &(Precision, Auroc))
                    .unwrap()
            };
            let (expected, found) = (score(), as_on_gpu(Products::Fast, score));
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
    let device = cpu();
    for batch_norm in [false, true] {
        let network = config.init(batch_norm, 1, &device);
        let (images, class) = pictures(6);
        let images = Dataset::grey(images, class.clone()).unwrap();
        let x = Examples::of(&images, &device).first(6, &network);
        let step = || {
            let mut network = network.clone();
            let step = backward::step(
                &mut network,
                x.clone(),
                &class,
                &mut random::stream(0, "test"),
            );
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
        let expected = step();
        let most = expected.iter().map(largest).fold(0.0, f32::max);
        for products in BOTH {
            for (found, expected) in as_on_gpu(products, step).iter().zip(&expected) {
                let scale = largest(expected).max(1e-4 * most);
                let error = largest(&(found - expected)) / scale;
                assert!(
                    error < 1e-4,
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
    let device = cpu();
    let (images, class) = pictures(48);
    let examples = Examples::of(&Dataset::grey(images, class).unwrap(), &device);
    let plan = TrainingPlan {
        epochs: 3,
        batch: 16,
        ..paper_plan(Sgd::rate(0.01).momentum(0.5))
    };
    let train = || {
        let start = config.init(false, 0, &device);
        fit(&start, 0, &examples, &examples, &plan, 0, |_, _| Ok(()))
            .unwrap()
            .history
    };
    let expected = train();
    for products in BOTH {
        for (found, expected) in as_on_gpu(products, train).iter().zip(&expected) {
            let difference = (found.loss - expected.loss).abs();
            assert!(
                difference < 1e-3 * expected.loss,
                "{products:?}: {found:?} {expected:?}"
            );
        }
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
