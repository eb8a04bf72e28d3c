//! Models other than a `Network`: a module of Burn and a function. Contains listings of the book.

use ndarray::{Array2, Array4, Array5, Axis};
use tests::{Fixture, device, error, largest};
use xai_core::attribution::{
    Baseline, BurnModel, Closure, ExpectedGradients, FeatureAblation, GradientShap, Images,
    InputXGradient, IntegratedGradients, KernelShap, Map, Occlusion, Panel, Saliency, Segments,
    SmoothGrad,
};
use xai_core::prelude::explain;

use crate::autodiff::{self, Mode};
use crate::common::{TARGET, explain, grid, network, one};

/// A function with a gradient is explained as the network with the same layers is.
#[test]
fn a_module_with_a_gradient_is_explained_like_a_network() {
    let (layered, images) = network("vgg");
    let parameters = autodiff::parameters(&layered);
    let forward = |images| {
        let scores = autodiff::forward(&layered, &parameters, images, Mode::Evaluation);
        let [n, classes, ..] = scores.dims();
        scores.reshape([n, classes])
    };
    let model = BurnModel::new(forward, device());
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
    let network = config.init(false, 0, &device());
    let pixels = Array4::from_shape_fn((3, 3, 32, 32), |(n, c, y, x)| match n {
        1 => ((c * 1024 + y * 32 + x) as f32 * 12.9898).sin().abs(),
        _ if (6..24).contains(&y) && (6 + n..24).contains(&x) => 0.75,
        _ => 0.0,
    });
    let images = Images::new(pixels, vec![0; 3]);
    let parameters = autodiff::parameters(&network);
    let forward = |images| {
        let scores = autodiff::forward(&network, &parameters, images, Mode::Evaluation);
        let [n, classes, ..] = scores.dims();
        scores.reshape([n, classes])
    };
    let model = BurnModel::new(forward, device());
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

/// A texture that repeats within a window of a pooling makes ties there, also if the window lies behind another pooling
/// and the texture's period is more than one pixel (`fixtures/captum/make_textures.py`). One image is noise. Rounding
/// decides some of its maxima. In the last one, what repeats is a line of one pixel beside the baseline.
#[test]
fn ties_of_a_texture_go_to_the_first() {
    let (network, images) = network("textures");
    let expected: Array5<f32> =
        Fixture::read("captum/textures.safetensors").array("integrated_gradients");
    let found = explain(IntegratedGradients { steps: 50 }, &network, &images);
    let expected = expected.index_axis(Axis(0), TARGET);
    for (image, (found, expected)) in found.outer_iter().zip(expected.outer_iter()).enumerate() {
        let off = error(&found.to_owned(), &expected.to_owned());
        assert!(off < 1e-3, "image {image}: off by {off:e}");
    }
}

/// The listings of the book's page on methods; and all kinds of models in `explain!`.
#[test]
fn the_books_listings() -> xai_core::Result<()> {
    let (network, images) = network("plain");
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
