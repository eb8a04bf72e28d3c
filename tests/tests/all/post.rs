//! Post-processing of heat maps, compared with SciPy, NumPy and scikit-image (`fixtures/score/make_post.py`), and as
//! policies of a panel.

use ndarray::{Array2, Array3};
use tests::{Fixture, device};
use xai_core::attribution::{Batch, Explain, Method};
use xai_core::device::Tensor;
use xai_core::metrics::{
    Emd, EmdFalseNegativeInvariant, RelevanceMassAccuracy, chance_name, group_name,
};
use xai_core::network::json;
use xai_core::prelude::*;

fn close(found: &Array2<f32>, expected: &Array2<f32>, what: &str) {
    let off = (found - expected).mapv(f32::abs);
    assert!(off.iter().all(|&off| off < 1e-6), "{what}: {off}");
}

#[test]
fn maps_are_those_of_scipy_and_numpy() {
    let file = Fixture::read("score/post.safetensors");
    let (attribution, image): (Array3<f32>, Array3<f32>) =
        (file.array("attribution"), file.array("image"));
    let plain = PostProcessing::default();
    let signed = plain.combine(Sign::Signed);
    for (name, post) in [
        ("blur_3", plain.blur(3.0)),
        ("signed_blur_5", signed.blur(5.0)),
        ("cut_90", plain.cut_below(90.0)),
        ("cut_37", plain.cut_below(37.5)),
        ("inside", plain.inside_image(0.0)),
        ("signed_inside", signed.inside_image(0.0)),
        (
            "all",
            plain
                .combine(Sign::Positive)
                .blur(4.0)
                .cut_below(75.0)
                .inside_image(0.0),
        ),
    ] {
        let found = post.heat(attribution.view(), image.view()).unwrap();
        close(&found, &file.array(name), name);
    }
}

#[test]
fn truth_is_dilated_as_in_scikit_image() {
    let file = Fixture::read("score/post.safetensors");
    let mask = |name: &str| -> Array2<bool> { file.array(name).mapv(|value: f32| value > 0.0) };
    let truth = mask("truth");
    for radius in [0, 1, 2, 3, 5] {
        let found = PostProcessing::default()
            .tolerance(radius)
            .truth(truth.view());
        assert_eq!(found, mask(&format!("dilated_{radius}")), "{radius}");
    }
}

/// Each policy of one panel gives what a panel of its own gives, and the methods run once.
#[test]
fn policies_share_the_explanations() {
    let layers = r#"[{"conv2d":{"in":1,"out":4,"kernel":3,"padding":1}}, "relu", "flatten", {"linear":{"in":400,"out":2}}]"#;
    let network = json::init(layers, 2, &device()).unwrap();
    let pixels = Array3::from_shape_fn((3, 10, 10), |(i, y, x)| {
        ((i + 3 * y + 7 * x) % 5) as f32 / 5.0
    });
    let truth = Array3::from_shape_fn((3, 10, 10), |(i, y, x)| y == 3 + i && x > 5);
    let images = Images::grey(pixels, vec![0, 1, 0]).with_truth(truth);
    let panel = || Panel::new().with(InputXGradient).with(Saliency);
    let plain = PostProcessing::default();
    let policies = [
        ("positive", plain.combine(Sign::Positive)),
        ("blurred", plain.blur(2.5)),
        ("top", plain.cut_below(80.0)),
        ("inside", plain.inside_image(0.0)),
        ("near", plain.tolerance(2)),
    ];
    let metrics = (Precision, RelevanceMassAccuracy);
    let all = panel()
        .also(policies)
        .score(&network, &images, &metrics)
        .unwrap();
    let of = |scores: &Scores, metric: &str| -> Vec<(String, u32, f64)> {
        let own = scores.iter().filter(|score| score.metric == metric);
        own.map(|score| (score.method.clone(), score.image, score.value))
            .collect()
    };
    let without = panel().score(&network, &images, &metrics).unwrap();
    for metric in ["precision", "relevance_mass_accuracy"] {
        assert_eq!(of(&all, metric), of(&without, metric));
        for (name, post) in policies {
            let alone = panel()
                .combine(post)
                .score(&network, &images, &metrics)
                .unwrap();
            let named = group_name(metric, name);
            assert_eq!(of(&all, &named).len(), 6, "{named}");
            assert_eq!(of(&all, &named), of(&alone, metric), "{named}");
            assert_eq!(
                of(&all, &chance_name(&named)),
                of(&alone, &chance_name(metric)),
                "{named}"
            );
        }
    }
    let written = explain! { model = network, input = images,
    methods = [InputXGradient, Saliency], also = policies, score = metrics };
    assert_eq!(written.unwrap(), all);
    let differ = |name: &str| {
        of(&all, &group_name("relevance_mass_accuracy", name))
            != of(&all, "relevance_mass_accuracy")
    };
    assert!(
        ["positive", "blurred", "top", "inside", "near"]
            .into_iter()
            .all(differ)
    );
}

/// Image times gradient is 0 where the image is. So dropping these pixels changes no score that adds up absolute values,
/// also in signed maps, whose smallest value is far from 0.
#[test]
fn dropped_pixels_of_signed_maps_have_no_mass() {
    let layers = r#"["flatten", {"linear":{"in":100,"out":2}}]"#;
    let network = json::init(layers, 2, &device()).unwrap();
    let pixels = Array3::from_shape_fn((3, 10, 10), |(i, y, x)| {
        ((i + 3 * y + 7 * x) % 5) as f32 / 5.0
    });
    let truth = Array3::from_shape_fn((3, 10, 10), |(i, y, x)| y == 3 + i && x > 5);
    let images = Images::grey(pixels, vec![0, 1, 0]).with_truth(truth);
    let signed = PostProcessing::default().combine(Sign::Signed);
    let metrics = (
        RelevanceMassAccuracy,
        Emd,
        EmdFalseNegativeInvariant,
        Precision,
    );
    let scores = |post: PostProcessing| {
        let panel = Panel::new().combine(signed).also([("also", post)]);
        let panel = panel.with(InputXGradient);
        let rows = panel.score(&network, &images, &metrics).unwrap();
        let own = rows.iter().filter(|row| row.metric.contains("also"));
        own.map(|row| row.value).collect::<Vec<_>>()
    };
    let (plain, dropped) = (scores(signed), scores(signed.inside_image(0.0)));
    assert_eq!(plain.len(), 3 * 4 + 3 * 4);
    // Of each image, three metrics add up absolute values; precision ranks.
    for image in 0..3 {
        assert_eq!(
            plain[4 * image..4 * image + 3],
            dropped[4 * image..4 * image + 3]
        );
    }
    let first = |post: PostProcessing| {
        let rows = Panel::new().combine(post).with(InputXGradient);
        rows.score(&network, &images, &RelevanceMassAccuracy)
            .unwrap()
    };
    assert_eq!(first(signed), first(signed.inside_image(0.0)));
}

/// If the percentile is negative, a cut would put the smallest values before those that are kept.
#[test]
fn a_negative_percentile_cuts_nothing() {
    let map = ndarray::array![[[-10.0, -1.0, 2.0, 3.0]]];
    let signed = PostProcessing::default().combine(Sign::Signed);
    let cut = |percent: f64| {
        let post = signed.cut_below(percent);
        post.heat(map.view(), map.view())
            .unwrap()
            .into_raw_vec_and_offset()
            .0
    };
    assert_eq!(cut(30.0), [-10.0, -1.0, 2.0, 3.0]);
    assert_eq!(cut(60.0), [0.0, 0.0, 2.0, 3.0]);
}

/// The file of heat maps has the ground truth of each image by this name.
struct Truth;

impl Method for Truth {
    fn name(&self) -> &'static str {
        "truth"
    }
}

impl<M> Explain<M> for Truth {
    fn attribute(&self, batch: &Batch<'_, M>) -> Result<Tensor<4>> {
        <Sobel as Explain<M>>::attribute(&Sobel, batch)
    }
}

#[test]
fn a_method_has_no_name_of_a_stored_part() {
    let images = Images::grey(Array3::ones((1, 4, 4)), vec![0])
        .with_truth(Array3::from_elem((1, 4, 4), true));
    let scores = Panel::new()
        .with(Truth)
        .score(&NoModel, &images, &Precision);
    let problem = scores.unwrap_err().to_string();
    assert!(problem.contains("is called `truth`"), "{problem}");
}

#[test]
fn policies_that_make_no_sense_are_errors() {
    let images = Images::grey(Array3::ones((1, 4, 4)), vec![0])
        .with_truth(Array3::from_elem((1, 4, 4), true));
    let plain = PostProcessing::default();
    let problem = |panel: Panel<NoModel>| {
        panel
            .with(Sobel)
            .score(&NoModel, &images, &Precision)
            .unwrap_err()
            .to_string()
    };
    assert!(problem(Panel::new().combine(plain.blur(0.0))).contains("blurred by 0 pixels"));
    assert!(problem(Panel::new().also([("a", plain.blur(f64::NAN))])).contains("blurred by NaN"));
    assert!(problem(Panel::new().also([("a", plain.cut_below(101.0))])).contains("percentile 101"));
    assert!(
        problem(Panel::new().also([("a", plain), ("a", plain.tolerance(1))]))
            .contains("called `a`")
    );
    assert!(problem(Panel::new().also([("", plain)])).contains("empty"));
}
