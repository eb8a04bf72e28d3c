//! PatternNet, PatternAttribution and deep Taylor decomposition, compared with NumPy (`fixtures/patterns/make.py`).
//! Permutation importance and noise, compared with their definitions.

use std::sync::Arc;

use ndarray::{Array1, Array2, Array4, ArrayView4, Axis, s};
use tests::{Fixture, error};
use xai_core::attribution::{
    DeepTaylor, Explain, FeaturePermutation, Images, NoModel, Panel, PatternAttribution,
    PatternEstimator, PatternNet, Patterns, UniformNoise,
};
use xai_core::network::{Layer, Network};

use crate::common::{explain, model, single};

/// Of the fixtures' largest value; they were computed in double precision.
const TOLERANCE: f32 = 1e-5;

fn patterns() -> Fixture {
    Fixture::read("patterns/patterns.safetensors")
}

fn fitted(fixture: &Fixture) -> (Network, Arc<Patterns>) {
    let network = fixture.network();
    let images: Array4<f32> = fixture.array("fit");
    let fitted = Patterns::fit(&network, images.view()).unwrap();
    (network, Arc::new(fitted))
}

#[test]
fn patterns_are_those_of_numpy() {
    let fixture = patterns();
    let (_, fitted) = fitted(&fixture);
    for at in [0, 3, 6, 8] {
        let wanted = fixture.find(&format!("patterns/{at}")).unwrap();
        let data = match &fitted.layers()[at] {
            Layer::Conv2d(conv) => conv.weight.to_data(),
            Layer::Linear(linear) => linear.weight.to_data(),
            other => panic!("{other:?}"),
        };
        let found = Array1::from(data.into_vec::<f32>().unwrap());
        let error = error(&found, &wanted.flatten().to_owned());
        assert!(error <= TOLERANCE, "layer {at}: off by {error:e}");
    }
}

/// The last layer, which no ReLU follows, can be fitted as if one did. The others stay.
#[test]
fn patterns_of_relus_everywhere_are_those_of_numpy() {
    let fixture = patterns();
    let network = fixture.network();
    let images: Array4<f32> = fixture.array("fit");
    let by = |estimator| Patterns::fit_by(estimator, &network, images.view()).unwrap();
    let everywhere = by(PatternEstimator::ReluEverywhere);
    let numbers = |patterns: &Patterns, at: usize| match &patterns.layers()[at] {
        Layer::Conv2d(conv) => conv.weight.to_data().into_vec::<f32>().unwrap(),
        Layer::Linear(linear) => linear.weight.to_data().into_vec::<f32>().unwrap(),
        other => panic!("{other:?}"),
    };
    let linear = by(PatternEstimator::Linear);
    for at in [0, 3, 6] {
        assert_eq!(numbers(&everywhere, at), numbers(&linear, at));
    }
    let wanted: Array2<f32> = fixture.array("relu_everywhere/8");
    let found = Array1::from(numbers(&everywhere, 8));
    let wanted = Array1::from_iter(wanted);
    let off = error(&found, &wanted);
    assert!(off <= TOLERANCE, "off by {off:e}");
    assert!(error(&Array1::from(numbers(&linear, 8)), &wanted) > 0.01);
}

#[test]
fn ways_back_are_those_of_numpy() {
    let fixture = patterns();
    let (network, fitted) = fitted(&fixture);
    let images = fixture.images();
    let methods: [(&str, Box<dyn Explain<Network>>); 5] = [
        ("pattern_net", Box::new(PatternNet::new(fitted.clone()))),
        (
            "pattern_attribution",
            Box::new(PatternAttribution::new(fitted)),
        ),
        ("deep_taylor/unbounded", Box::new(DeepTaylor::unbounded())),
        ("deep_taylor/published", Box::new(DeepTaylor::published())),
        (
            "deep_taylor/bounded",
            Box::new(DeepTaylor::bounded(-4.0, 5.0)),
        ),
    ];
    for (name, method) in methods {
        let error = error(&explain(method, &network, &images), &fixture.array(name));
        assert!(error <= TOLERANCE, "{name}: off by {error:e}");
    }
}

/// In a linear model the pattern is the signal's direction, which the weights are not where noise is correlated (Haufe et
/// al. 2014, section 2): class +-1 times (1, 0) and a noise that both pixels have, so that the weights are (1, -1).
#[test]
fn the_pattern_of_a_linear_model_is_its_signal() {
    let fixture = patterns();
    let json = r#"["flatten", {"linear": {"in": 2, "out": 1, "bias": false}}]"#;
    let weight: Vec<u8> = [1.0f32, -1.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1, 2], &weight).unwrap();
    let file = safetensors::serialize([("1.weight", view)], None).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let network = xai_core::network::json::network(json, &file, &tests::device()).unwrap();
    // Signal and noise are independent over these eight images.
    let pixels = [
        [1.0, 2.0],
        [1.0, -2.0],
        [-1.0, 2.0],
        [-1.0, -2.0],
        [1.0, 5.0],
        [1.0, -5.0],
        [-1.0, 5.0],
        [-1.0, -5.0],
    ]
    .map(|[signal, noise]| [signal + noise, noise]);
    let images = Array4::from_shape_vec((8, 1, 1, 2), pixels.concat()).unwrap();
    let fitted = Patterns::fit(&network, images.view()).unwrap();
    let Layer::Linear(pattern) = &fitted.layers()[1] else {
        panic!("a linear layer")
    };
    assert_eq!(
        pattern.weight.to_data().into_vec::<f32>().unwrap(),
        [1.0, 0.0]
    );

    // Patterns of one network do not explain another.
    let images = fixture.images();
    let wrong = PatternNet::new(Arc::new(fitted));
    let panel = Panel::new().with(wrong);
    let problem = panel
        .explain(&fixture.network(), &images, 0)
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains("pattern_net") && problem.contains("other layers"),
        "{problem}"
    );
    let none = Patterns::fit(&network, Array4::zeros((0, 1, 1, 2)).view())
        .unwrap_err()
        .to_string();
    assert!(none.contains("at least one image"), "{none}");
}

/// A network of three channels takes grey images, as in a panel. Images of another kind are an error.
#[test]
fn patterns_are_fitted_to_grey_images() {
    let (network, images) = crate::common::network("vgg");
    let grey = images.pixels.slice(s![.., ..1, .., ..]);
    let three = ndarray::concatenate(Axis(1), &[grey, grey, grey]).unwrap();
    let first = |images: ArrayView4<f32>| {
        let fitted = Patterns::fit(&network, images).unwrap();
        let Layer::Conv2d(conv) = &fitted.layers()[0] else {
            panic!("a convolution")
        };
        conv.weight.to_data().into_vec::<f32>().unwrap()
    };
    assert_eq!(first(grey), first(three.view()));
    let two = images.pixels.slice(s![.., ..2, .., ..]);
    let problem = Patterns::fit(&network, two).unwrap_err().to_string();
    assert!(problem.contains("channels"), "{problem}");
}

/// 7 images of 2 x 3 pixels without two equal values.
fn numbered() -> Images {
    let pixels = Array4::from_shape_fn((7, 1, 2, 3), |(n, _, y, x)| {
        ((n * n) as f32 + 0.1) * (1.0 + (3 * y + x) as f32)
    });
    Images::new(pixels, vec![0; 7]).with_index(vec![4, 9, 2, 7, 1, 8, 3])
}

/// In a linear model a permuted value changes the score by weight times difference. So by weight, each pixel's values are
/// those of other images of the batch, each exactly once.
#[test]
fn published_permutations_are_within_batches() {
    let images = numbered();
    let weights = [1.0f32, -2.0, 0.5, 3.0, -1.0, 2.0];
    let model = model(move |image| {
        image
            .iter()
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum()
    });
    let map = explain(FeaturePermutation::published(&images, 4), &model, &images);
    let mut moved = 0;
    for (first, last) in [(0, 4), (4, 7)] {
        for (pixel, weight) in weights.into_iter().enumerate() {
            let at = s![first..last, 0, pixel / 3, pixel % 3];
            let values = images.pixels.slice(at).to_vec();
            let mut others: Vec<f32> = (map.slice(at).iter().zip(&values))
                .map(|(fall, value)| value - fall / weight)
                .collect();
            moved += others
                .iter()
                .zip(&values)
                .filter(|(a, b)| (**a - **b).abs() > 1e-2)
                .count();
            others.sort_by(f32::total_cmp);
            for (other, value) in others.iter().zip(&values) {
                assert!(
                    (other - value).abs() < 1e-3 * value.abs(),
                    "{others:?} {values:?}"
                );
            }
        }
    }
    assert!(moved > 20, "{moved}");
    // Whatever else is explained with it, or before it, an image's map stays.
    for image in [0, 3, 6] {
        let alone = explain(
            FeaturePermutation::published(&images, 4),
            &model,
            &single(&images, image),
        );
        assert_eq!(alone.index_axis(Axis(0), 0), map.index_axis(Axis(0), image));
    }
}

/// Captum refuses a batch of one image, in which nothing can be permuted.
#[test]
fn an_image_alone_in_its_batch_is_an_error() {
    let images = numbered();
    let model = model(|image| image.iter().sum());
    for (images, of, words) in [
        (
            images.clone(),
            3,
            "image 3 is alone in its batch (7 images in batches of 3)",
        ),
        (images.clone(), 6, "such as 5"),
        (images.clone(), 1, "such as 7"),
        (single(&images, 5), 50, "give more images"),
    ] {
        let panel = Panel::new().with(FeaturePermutation::published(&images, of));
        let problem = panel.explain(&model, &images, 0).unwrap_err().to_string();
        assert!(problem.contains(words), "{problem}");
    }
}

/// With all images as donors, and enough draws, the fall is weight times the distance from the donors' mean.
#[test]
fn permuted_values_are_the_donors() {
    let images = numbered();
    let model = model(|image| image.iter().sum());
    let donors = Array4::from_shape_fn((2, 1, 2, 3), |(n, ..)| n as f32);
    let one = explain(FeaturePermutation::new(donors.clone(), 1), &model, &images);
    for (fall, value) in one.iter().zip(&images.pixels) {
        let other = value - fall;
        assert!(
            other.abs() < 1e-4 * value.max(1.0) || (other - 1.0).abs() < 1e-4 * value.max(1.0),
            "{other}"
        );
    }
    let many = explain(
        FeaturePermutation::new(donors.clone(), 4000),
        &model,
        &images,
    );
    for (fall, value) in many.iter().zip(&images.pixels) {
        assert!((value - fall - 0.5).abs() < 0.04, "{value} {fall}");
    }
    let alone = explain(
        FeaturePermutation::new(donors.clone(), 1),
        &model,
        &single(&images, 5),
    );
    assert_eq!(alone.index_axis(Axis(0), 0), one.index_axis(Axis(0), 5));
    let other = explain(FeaturePermutation::new(donors, 1).seed(1), &model, &images);
    assert_ne!(other, one);

    let wrong = FeaturePermutation::new(Array4::zeros((1, 1, 3, 3)), 1);
    let panel = Panel::new().with(wrong);
    let problem = panel.explain(&model, &images, 0).unwrap_err().to_string();
    assert!(problem.contains("of the images' shape"), "{problem}");
}

#[test]
fn noise_is_uniform_and_each_images_own() {
    let images = Images::new(Array4::zeros((50, 1, 8, 8)), vec![0; 50]);
    let noise = explain(UniformNoise::default(), &NoModel, &images);
    let (mean, largest) = (
        noise.mean().unwrap(),
        noise
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs())),
    );
    let variance = noise.mapv(|value| value * value).mean().unwrap();
    assert!(
        mean.abs() < 0.03 && largest < 1.0 && (variance - 1.0 / 3.0).abs() < 0.02,
        "{mean} {largest} {variance}"
    );
    let alone = explain(UniformNoise::default(), &NoModel, &single(&images, 31));
    assert_eq!(alone.index_axis(Axis(0), 0), noise.index_axis(Axis(0), 31));
}
