//! Methods beyond the paper's eight, compared with zennit and Captum (`fixtures/beyond/make.py`). Relevance is conserved
//! if the rule conserves it.

use ndarray::{Array4, Axis, concatenate, s};
use tests::{Fixture, error};
use xai_core::attribution::lrp::{Composite, LrpRule};
use xai_core::attribution::{
    CamOptions, DeepLiftShap, Enlarge, GradCam, GradCamPlusPlus, GuidedGradCam, HiResCam, Images,
    KernelShap, LayerCam, LrpComposite, Panel, Segments, internal_influence, layer_activation,
    layer_conductance, layer_gradient_x_activation,
};
use xai_core::network::Layer;

use crate::common::{TARGET, explain, network};

/// Of the fixtures' largest value; they were computed in double precision.
const TOLERANCE: f32 = 1e-5;

fn beyond() -> Fixture {
    Fixture::read("beyond/beyond.safetensors")
}

#[track_caller]
fn assert_close(found: &Array4<f32>, wanted: &Array4<f32>, what: &str) {
    let error = error(found, wanted);
    assert!(error <= TOLERANCE, "{what}: off by {error:e}");
}

/// Each rule in all layers, and each named composite.
fn composites() -> Vec<(&'static str, LrpComposite)> {
    let all = |name, rule| (name, LrpComposite::new(name, Composite::all(rule)));
    let two = LrpRule::AlphaBeta {
        alpha: 2.0,
        beta: 1.0,
    };
    let z_box = LrpRule::ZBox {
        low: -2.0,
        high: 3.0,
    };
    vec![
        all("epsilon", LrpRule::Epsilon(0.25)),
        all("z_plus", LrpRule::ZPlus),
        all("gamma", LrpRule::Gamma(0.25)),
        all("alpha_beta", two),
        all("z_box", z_box),
        all("w_square", LrpRule::WSquare),
        all("flat", LrpRule::Flat),
        ("lrp_epsilon_plus", LrpComposite::epsilon_plus()),
        (
            "lrp_epsilon_gamma_box",
            LrpComposite::epsilon_gamma_box(-2.0, 3.0),
        ),
        (
            "lrp_epsilon_alpha2_beta1",
            LrpComposite::epsilon_alpha2_beta1(),
        ),
        ("lrp_epsilon_plus_flat", LrpComposite::epsilon_plus_flat()),
        (
            "lrp_epsilon_alpha2_beta1_flat",
            LrpComposite::epsilon_alpha2_beta1_flat(),
        ),
        ("excitation_backprop", LrpComposite::excitation_backprop()),
    ]
}

#[test]
fn rules_and_composites_are_zennits() {
    let beyond = beyond();
    for name in ["plain", "relu_before_pool", "vgg", "batch_norm", "grouped"] {
        let (network, images) = network(name);
        for (rule, method) in composites() {
            let wanted = beyond.array(&format!("{name}/{rule}"));
            let found = explain(method, &network, &images);
            assert_close(&found, &wanted, &format!("{rule} of {name}"));
        }
    }
}

/// Without a convolution `epsilon_gamma_box` has no zB, and `excitation_backprop` goes through the derivative of a tanh and
/// of a batch norm (`fixtures/beyond/make_composites.py`).
#[test]
fn composites_of_other_layers_are_zennits() {
    for name in ["dense", "activations", "norms"] {
        let file = Fixture::read(&format!("beyond/{name}.safetensors"));
        let (network, images) = (file.network(), file.images());
        let named = composites().into_iter().skip(7);
        for (composite, method) in named {
            let found = explain(method, &network, &images);
            assert_close(
                &found,
                &file.array(composite),
                &format!("{composite} of {name}"),
            );
        }
    }
}

#[test]
fn class_activation_maps_are_captums() {
    let beyond = beyond();
    let wanted = |network: &str, method: &str| beyond.array(&format!("{network}/{method}"));
    // The default layer is the ReLU behind the last convolution: in `plain` and `batch_norm`.
    for (name, layer) in [
        ("plain", None),
        ("batch_norm", None),
        ("relu_before_pool", None),
        ("vgg", None),
        ("vgg", Some(8)),
        ("grouped", None),
    ] {
        let (network, images) = network(name);
        let enlarge = Enlarge::Nearest;
        let options = CamOptions {
            layer,
            enlarge,
            ..CamOptions::default()
        };
        let found = explain(GradCam(options), &network, &images);
        assert_close(&found, &wanted(name, "grad_cam"), name);
        let found = explain(GuidedGradCam { layer, enlarge }, &network, &images);
        assert_close(&found, &wanted(name, "guided_grad_cam"), name);
    }
}

/// Maps of the package `grad-cam`, enlarged by torch.
#[test]
fn newer_class_activation_maps_are_those_of_grad_cam() {
    let beyond = beyond();
    for name in ["plain", "relu_before_pool", "vgg", "batch_norm", "grouped"] {
        let (network, images) = network(name);
        for (method, found) in [
            ("grad_cam", explain(GradCam::default(), &network, &images)),
            (
                "grad_cam_plus_plus",
                explain(GradCamPlusPlus::default(), &network, &images),
            ),
            (
                "hi_res_cam",
                explain(HiResCam::default(), &network, &images),
            ),
            ("layer_cam", explain(LayerCam::default(), &network, &images)),
        ] {
            let what = format!("{method} of {name}");
            let wanted = beyond.array(&format!("{name}/{method}/bilinear"));
            assert_close(&found, &wanted, &what);
        }
        let found = explain(HiResCam::default().relu().nearest(), &network, &images);
        let wanted = beyond.array(&format!("{name}/hi_res_cam/relu_nearest"));
        assert_close(&found, &wanted, &format!("nearest of {name}"));
    }
}

#[test]
fn layers_and_several_baselines_are_captums() {
    let beyond = beyond();
    for (name, layer) in [
        ("plain", 1),
        ("relu_before_pool", 1),
        ("vgg", 4),
        ("grouped", 1),
    ] {
        let (network, images) = network(name);
        let wanted = beyond.array(&format!("{name}/conductance"));
        let found = layer_conductance(&network, &images, TARGET, layer, 20).unwrap();
        assert_close(&found, &wanted, name);
        let found = internal_influence(&network, &images, TARGET, layer, 20).unwrap();
        let of_influence = beyond.array(&format!("{name}/internal_influence"));
        assert_close(&found, &of_influence, name);
        let found = layer_gradient_x_activation(&network, &images, TARGET, layer).unwrap();
        let of_product = beyond.array(&format!("{name}/layer_gradient_x_activation"));
        assert_close(&found, &of_product, name);
        let activation = layer_activation(&network, &images, layer).unwrap();
        assert_eq!(activation.dim(), wanted.dim());
        let scores = layer_activation(&network, &images, network.layers.len() - 1).unwrap();
        assert_eq!(scores.dim().0, images.pixels.dim().0);
    }
    let (network, images) = network("plain");
    let baselines = beyond.array("baselines");
    let found = explain(DeepLiftShap { baselines }, &network, &images);
    let wanted = beyond.array("plain/deep_lift_shap");
    assert_close(&found, &wanted, "deep_lift_shap");
}

/// A layer is explained with the same images as a panel: grey ones are repeated, and broken ones are errors.
#[test]
fn images_of_a_layer_are_those_of_a_panel() {
    let (network, images) = network("plain");
    let all = |images: &Images| -> [xai_core::Result<Array4<f32>>; 4] {
        [
            layer_activation(&network, images, 1),
            layer_conductance(&network, images, TARGET, 1, 5),
            internal_influence(&network, images, TARGET, 1, 5),
            layer_gradient_x_activation(&network, images, TARGET, 1),
        ]
    };
    let grey = images.pixels.slice(s![.., ..1, .., ..]);
    let repeated = concatenate(Axis(1), &[grey; 3]).unwrap();
    let with = |pixels| Images::new(pixels, images.class.clone());
    let found = all(&with(grey.to_owned()));
    for (found, expected) in found.into_iter().zip(all(&with(repeated))) {
        assert_eq!(found.unwrap(), expected.unwrap());
    }
    let mut broken = images.clone();
    broken.pixels[[1, 0, 2, 3]] = f32::NAN;
    let unnumbered = images.clone().with_index(vec![0]);
    for (images, words) in [
        (broken, "image 1 holds NaN in channel 0"),
        (unnumbered, "1 indices"),
    ] {
        for found in all(&images) {
            let problem = found.unwrap_err().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }
}

/// Of all coalitions KernelSHAP makes exact Shapley values.
#[test]
fn shapley_values_are_captums() {
    let (network, images) = network("plain");
    let of_all = KernelShap {
        segments: Segments::grid(2, 2),
        samples: 16,
        seed: 0,
    };
    let found = explain(of_all, &network, &images);
    let wanted = beyond().array("plain/shapley_values");
    assert_close(&found, &wanted, "shapley_values");
}

/// Without biases every rule but epsilon, which absorbs, hands on all that it gets. (In a network without
/// average pooling, which cannot share what zB, w2 or flat gave to neurons that are silent.)
#[test]
fn relevance_is_conserved_without_biases() {
    let (mut network, images) = network("plain");
    for layer in &mut network.layers {
        match layer {
            Layer::Conv2d(conv) => conv.bias = None,
            Layer::Linear(linear) => linear.bias = None,
            _ => {}
        }
    }
    let scores = layer_activation(&network, &images, network.layers.len() - 1).unwrap();
    for (rule, method) in composites().into_iter().skip(1) {
        let maps = explain(method, &network, &images);
        for (map, scores) in maps.axis_iter(Axis(0)).zip(scores.axis_iter(Axis(0))) {
            let (sum, score) = (map.sum(), scores[[TARGET, 0, 0]]);
            assert!(
                (sum - score).abs() < 1e-2 * score.abs(),
                "{rule}: {sum} of {score}"
            );
        }
    }
}

#[test]
fn a_layer_that_is_not_there_is_an_error() {
    let (network, images) = network("plain");
    let panel = Panel::new().with(GradCam::of_layer(99));
    let problem = panel.explain(&network, &images, TARGET).unwrap_err();
    assert!(problem.to_string().contains("there is no layer 99"));
    for problem in [
        layer_conductance(&network, &images, TARGET, 99, 5),
        internal_influence(&network, &images, TARGET, 99, 5),
        layer_gradient_x_activation(&network, &images, TARGET, 99),
        layer_activation(&network, &images, 99),
    ] {
        let problem = problem.unwrap_err().to_string();
        assert!(problem.contains("there is no layer 99"), "{problem}");
    }
    for problem in [
        layer_conductance(&network, &images, TARGET, 1, 0),
        internal_influence(&network, &images, TARGET, 1, 0),
    ] {
        let problem = problem.unwrap_err().to_string();
        assert!(problem.contains("at least one step"), "{problem}");
    }
}

/// Two batch normalisations in a row are both multiplied into the convolution before them, so that relevances do
/// not depend on how a function is written. zennit does so with the first of them only.
#[test]
fn normalisations_in_a_row_are_merged_as_one() {
    let file = Fixture::read("norms/norms.safetensors");
    let (network, images) = (file.network(), file.images());
    let merged = network.clone().fold_batch_norm();
    assert_eq!(merged.layers.len(), network.layers.len() - 2);
    let last = network.layers.len() - 1;
    let scores: Array4<f32> = layer_activation(&network, &images, last).unwrap();
    let expected: ndarray::Array2<f32> = file.array("scores");
    assert!(
        error(
            &scores.into_shape_with_order(expected.dim()).unwrap(),
            &expected
        ) < TOLERANCE
    );
    for (name, method) in [
        ("epsilon_plus", LrpComposite::epsilon_plus()),
        ("epsilon_alpha2_beta1", LrpComposite::epsilon_alpha2_beta1()),
    ] {
        let found = explain(method, &network, &images);
        assert_close(&found, &file.array(&format!("merged.{name}")), name);
        let as_it_is = error(&found, &file.array(&format!("as_it_is.{name}")));
        assert!(
            as_it_is > 0.1,
            "{name}: zennit's own is no other, {as_it_is:e}"
        );
    }
}
