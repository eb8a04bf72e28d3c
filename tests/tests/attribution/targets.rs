//! The difference of two outputs as target, compared with Captum (`fixtures/captum/make_difference.py`), and a network of
//! one output.

use ndarray::{Array4, array};
use tests::{Fixture, device, error};
use xai_core::attribution::{
    Batch, Closure, Differentiable, Explain, Images, Intensity, KernelShap, Method, NoModel,
    Occlusion, Panel, Saliency, SmoothGrad, Target, Targets,
};
use xai_core::device::Tensor;
use xai_core::network::json;
use xai_core::prelude::{InputXGradient, IntegratedGradients, Segments};

use crate::common::{one, the_eight};

#[test]
fn differences_of_logits_are_captums() {
    let file = Fixture::read("captum/difference.safetensors");
    let mut compared = 0;
    for (name, first, second) in [
        ("plain", 2, 0),
        ("vgg", 0, 1),
        ("residual", 1, 0),
        ("batch_norm", 1, 2),
    ] {
        let network = Fixture::read(&format!("captum/{name}.safetensors"));
        let (images, network) = (network.images(), network.network());
        let maps = the_eight(0).explain(&network, &images, Target::Difference(first, second));
        for map in maps.unwrap() {
            let expected = file.array(&format!("{name}/{first}/{second}/{}", map.method));
            let off = error(&map.values, &expected);
            assert!(off < 2e-5, "{name}, {}: off by {off:e}", map.method);
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 8);
}

/// The signed gradient.
struct Gradient;

impl Method for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }
}

impl<M: Differentiable> Explain<M> for Gradient {
    fn attribute(&self, batch: &Batch<'_, M>) -> xai_core::Result<Tensor<4>> {
        Ok(batch.gradient()?.clone())
    }
}

/// What is linear in the scores is the difference of both maps, and each image has its own target.
#[test]
fn targets_differ_between_images() {
    let file = Fixture::read("captum/plain.safetensors");
    let (network, images) = (file.network(), file.images());
    let targets = vec![
        Target::Difference(2, 0),
        Target::Output(1),
        Target::Difference(0, 1),
    ];
    let explain = |targets: Targets| {
        let panel = Panel::new()
            .with(Gradient)
            .with(InputXGradient)
            .with(IntegratedGradients { steps: 7 })
            .with(Occlusion::default())
            .with(SmoothGrad::of(Gradient));
        panel.explain(&network, &images, targets).unwrap()
    };
    let mixed = explain(targets.into());
    let of: Vec<Vec<Array4<f32>>> = (0..3)
        .map(|class| {
            explain(class.into())
                .into_iter()
                .map(|map| map.values)
                .collect()
        })
        .collect();
    for (number, map) in mixed.iter().enumerate() {
        let mut expected = map.values.clone();
        for (image, (first, second)) in [(2, Some(0)), (1, None), (0, Some(1))]
            .into_iter()
            .enumerate()
        {
            let part = |class: usize| of[class][number].index_axis(ndarray::Axis(0), image);
            let mut place = expected.index_axis_mut(ndarray::Axis(0), image);
            place.assign(&part(first));
            if let Some(second) = second {
                place -= &part(second);
            }
        }
        assert!(error(&map.values, &expected) < 1e-4, "{}", map.method);
    }
}

#[test]
fn a_model_that_only_predicts_has_differences_too() {
    let model = Closure(|images: Array4<f32>| {
        let rows = images
            .outer_iter()
            .map(|x| [x[[0, 0, 0]], 3.0 * x[[0, 0, 1]], 5.0]);
        let rows: Vec<f32> = rows.flatten().collect();
        Ok(ndarray::Array2::from_shape_vec((images.dim().0, 3), rows).unwrap())
    });
    let pixels = Array4::from_shape_vec((1, 1, 1, 2), vec![2.0, 4.0]).unwrap();
    let images = Images::new(pixels, vec![0]);
    let method = KernelShap {
        segments: Segments::grid(1, 2),
        ..Default::default()
    };
    let map = one(Panel::new()
        .with(method)
        .explain(&model, &images, Target::Difference(1, 0))
        .unwrap());
    let found = map.into_shape_with_order((1, 2)).unwrap();
    assert!(error(&found, &array![[-2.0, 12.0]]) < 1e-4, "{found}");
}

/// A regression is a network of one output, which is explained as output 0.
#[test]
fn a_network_of_one_output_is_explained() {
    let layers = r#"["flatten", {"linear":{"in":4,"out":1}}]"#;
    let network = json::init(layers, 5, &device()).unwrap();
    let images = Images::new(Array4::ones((1, 1, 2, 2)), vec![0]);
    let whole = one(Panel::new()
        .with(InputXGradient)
        .explain(&network, &images, Target::Output(0))
        .unwrap());
    let outputs =
        xai_core::attribution::Predict::scores(&network, tests::upload(&images.pixels)).unwrap();
    let output = outputs.into_data().into_vec::<f32>().unwrap()[0];
    let zero = xai_core::attribution::Predict::scores(
        &network,
        tests::upload(&Array4::zeros((1, 1, 2, 2))),
    )
    .unwrap();
    let bias = zero.into_data().into_vec::<f32>().unwrap()[0];
    assert!((whole.sum() - (output - bias)).abs() < 1e-5);
}

#[test]
fn targets_that_are_not_there_are_errors() {
    let file = Fixture::read("captum/plain.safetensors");
    let (network, images) = (file.network(), file.images());
    let problem = |targets: Targets| {
        let panel = Panel::new().with(Saliency);
        panel
            .explain(&network, &images, targets)
            .unwrap_err()
            .to_string()
    };
    assert!(problem(Target::Difference(0, 3).into()).contains("class 3 cannot be explained"));
    assert!(problem(Target::Difference(1, 1).into()).contains("always 0"));
    assert!(problem(vec![Target::Output(0)].into()).contains("3 images but 1"));
    // Without a model, there is nothing to check.
    let filter = Panel::new()
        .with(Intensity)
        .explain(&NoModel, &images, Target::Difference(7, 8));
    assert_eq!(filter.unwrap().len(), 1);
}
