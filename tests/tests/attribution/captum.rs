//! Attributions on small networks, compared with Captum's (`fixtures/captum/make.py`) and with properties that follow from
//! the definitions: the gradient is autodiff's, and integrated gradients and DeepLIFT are complete.

use ndarray::{Array2, Array4, Axis};
use tests::{CAPTUM_NETWORKS, Fixture, chosen, device, download, error, largest, upload};
use xai_core::attribution::{
    DeepLift, Explain, GradientShap, Images, InputXGradient, IntegratedGradients, Panel, Saliency,
};
use xai_core::dataset::Dataset;
use xai_core::device::{DeviceChoice, Tensor};
use xai_core::network::{Layer, Network};
use xai_core::training::{Examples, Optimizer, TrainingPlan, fit};

use crate::autodiff::{self, Mode};
use crate::common::{explain, one, the_eight};

/// One of Captum's fixtures.
struct Parity {
    file: Fixture,
    network: Network,
    images: Images,
    classes: usize,
}

impl Parity {
    fn read(name: &str) -> Self {
        let file = Fixture::read(&format!("captum/{name}.safetensors"));
        let logits: Array2<f32> = file.array("logits");
        Self {
            network: file.network(),
            images: file.images(),
            classes: logits.dim().1,
            file,
        }
    }

    /// Captum's attributions of a class, if it has that method for this network.
    fn captum(&self, method: &str, class: usize) -> Option<Array4<f32>> {
        let all = self.file.find(method)?.index_axis_move(Axis(0), class);
        Some(all.into_dimensionality().unwrap())
    }

    fn logits(&self) -> Array2<f32> {
        self.file.array("logits")
    }

    fn input(&self) -> Tensor<4> {
        upload(&self.images.pixels)
    }

    fn explain(&self, method: impl Explain<Network> + 'static, class: usize) -> Array4<f32> {
        let panel = Panel::new().with(method);
        one(panel.explain(&self.network, &self.images, class).unwrap())
    }
}

/// What a map may be off, of its largest value. On `smooth` DeepLIFT divides by differences that nearly cancel; a GPU,
/// which sums in another order, is off by 1.5e-5 there.
fn tolerance(name: &str) -> f32 {
    match (chosen(), name) {
        (DeviceChoice::Flex, _) => 1e-5,
        (_, "smooth") => 3e-5,
        _ => 1e-5,
    }
}

#[test]
fn logits_are_torchs() {
    for name in CAPTUM_NETWORKS {
        let fixture = Parity::read(name);
        let found: Array2<f32> = download(fixture.network.forward(fixture.input()));
        assert!(error(&found, &fixture.logits()) < 1e-5, "{name}");
    }
}

#[test]
fn every_method_gives_captums_values() {
    let mut compared = 0;
    for name in CAPTUM_NETWORKS {
        let fixture = Parity::read(name);
        for class in 0..fixture.classes {
            for map in the_eight(0)
                .explain(&fixture.network, &fixture.images, class)
                .unwrap()
            {
                let Some(expected) = fixture.captum(map.method, class) else {
                    continue;
                };
                let error = error(&map.values, &expected);
                assert!(
                    error < tolerance(name),
                    "{name}, class {class}, {}: off by {error:e}",
                    map.method
                );
                compared += 1;
            }
        }
    }
    // 38 classes and 8 methods; where sums tie, the 2 methods on a path have no expected values.
    assert_eq!(compared, 38 * 8 - 3 * 2);
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
        "grouped",
        "dropout_before_pool",
    ] {
        let fixture = Parity::read(name);
        for class in 0..fixture.classes {
            let expected = fixture.captum("deep_lift_captum", class).unwrap();
            let error_of = |found| error(&found, &expected);
            let ours = error_of(fixture.explain(DeepLift::captum(), class));
            assert!(
                ours < tolerance(name),
                "{name}, class {class}: off by {ours:e}"
            );
            assert!(error_of(fixture.explain(DeepLift, class)) > 0.01, "{name}");
        }
    }
}

/// Behind a linear layer a normalisation is one of features, whose number says nothing about the channels of the images
/// (`fixtures/captum/make_flat_norm.py`).
#[test]
fn normalised_features_take_grey_images() {
    let file = Fixture::read("captum/flat_norm.safetensors");
    let (network, images) = (file.network(), file.images());
    assert_eq!(network.input_channels(), None);
    let scores: Array2<f32> = download(network.forward(upload(&images.pixels)));
    assert!(error(&scores, &file.array("logits")) < 1e-6);
    let maps = explain(InputXGradient, &network, &images);
    assert!(error(&maps, &file.array("input_x_gradient")) < 1e-6);

    let dataset = Dataset::new(images.pixels, vec![0, 1, 0, 1]).unwrap();
    let images = Examples::of(&dataset, &device());
    let plan = TrainingPlan::new(Optimizer::Adam(0.01), 30, 4);
    let fitted = fit(&network, 0, &images, &images, &plan, 1, |_, _| Ok(())).unwrap();
    let losses = fitted.history.iter().map(|epoch| epoch.loss);
    let losses: Vec<f64> = losses.collect();
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn shap_looks_where_the_fixtures_say() {
    for name in CAPTUM_NETWORKS {
        let expected: Array2<f32> = Parity::read(name).file.array("alphas");
        for (image, expected) in expected.outer_iter().enumerate() {
            let drawn = GradientShap::default().alphas(image as u32);
            assert_eq!(drawn, expected.to_vec());
        }
    }
}

#[test]
fn the_gradient_is_autodiffs() {
    for name in CAPTUM_NETWORKS {
        let fixture = Parity::read(name);
        // Burn's own gradient of such a convolution is 0 on a GPU; the book tells.
        let has_gaps = |layer: &Layer| match layer {
            Layer::Conv2d(conv) => {
                (0..2).any(|axis| conv.stride[axis] > conv.window().kernel[axis])
            }
            _ => false,
        };
        let layers = fixture.network.named_layers();
        if chosen() != DeviceChoice::Flex && layers.iter().any(|(_, layer)| has_gaps(layer)) {
            continue;
        }
        let parameters = autodiff::parameters(&fixture.network);
        for class in 0..fixture.classes {
            let x = autodiff::watched(&fixture.input());
            let scores =
                autodiff::forward(&fixture.network, &parameters, x.clone(), Mode::Evaluation);
            let score = scores.narrow(1, class, 1).sum();
            let gradient: Array4<f32> = download(x.grad(&score.backward()).unwrap().abs());
            let found = fixture.explain(Saliency, class);
            let error = error(&found, &gradient);
            assert!(
                error < tolerance(name),
                "{name}, class {class}: off by {error:e}"
            );
        }
    }
}

#[test]
fn deep_lift_and_integrated_gradients_are_complete() {
    for name in CAPTUM_NETWORKS {
        let fixture = Parity::read(name);
        let scores = fixture.logits();
        let zero: Array2<f32> = download(fixture.network.forward(fixture.input().zeros_like()));
        let owed = &scores - &zero;
        let tolerance = largest(&owed);
        for class in 0..fixture.classes {
            let gap = |maps: Array4<f32>| -> f32 {
                let sums = maps.sum_axis(Axis(3)).sum_axis(Axis(2)).sum_axis(Axis(1));
                largest(&(sums - owed.column(class)))
            };
            let deep_lift = gap(fixture.explain(DeepLift, class));
            assert!(
                deep_lift < 1e-5 * tolerance,
                "{name}, class {class}: {deep_lift:e}"
            );
            let gradients = gap(fixture.explain(IntegratedGradients { steps: 1000 }, class));
            assert!(
                gradients < 5e-3 * tolerance,
                "{name}, class {class}: {gradients:e}"
            );
        }
    }
}
