//! If something cannot be explained, there is one clear error.

use ndarray::{Array2, Array3, Array4};
use tests::{Fixture, device};
use xai_core::attribution::{
    Baseline, Closure, Deconvolution, ExpectedGradients, Explainable, FeatureAblation, Images,
    IntegratedGradients, KernelShap, Lime, Method, Occlusion, Panel, Rise, Saliency, Segments,
    methods,
};
use xai_core::network::{Network, json};

use crate::common::{AnyClosure, TARGET, a_picture, columns, lime, model, network, stripes};

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
    let (mut network, pictures) = network("plain");
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

    // A ReLU makes 0 of NaN, so that the image itself must be looked at.
    let mut spoilt = images.clone();
    spoilt.pixels[[1, 0, 2, 3]] = f32::NAN;
    let nan = &["image 9", "NaN", "channel 0, row 2, column 3"];
    says(one(Occlusion::default()), &fine(), &spoilt, nan);
    let mut baseline = Array3::zeros((2, 3, 5));
    baseline[[0, 0, 0]] = f32::INFINITY;
    says(
        one(Occlusion::default()).baseline(Baseline::Image(baseline)),
        &fine(),
        &images,
        &["the baseline", "infinity"],
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
    // Each sample hides some of the 30 values, so that its weight is exp(-10^8) or less.
    let narrow = Lime {
        width: 1e-6,
        ..lime(Segments::Values)
    };
    says(
        Panel::new().with(narrow),
        &fine(),
        &images,
        &["no sample lies within LIME's kernel", "larger width"],
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
    let (network, pictures) = self::network("plain");
    says(
        Panel::new().with(alone),
        &network,
        &pictures,
        &["expected_gradients", "0 baselines"],
    );
}

#[test]
fn methods_are_found_by_their_names() {
    for method in methods::all::<Network>() {
        assert_eq!(
            methods::named::<Network>(method.name, 0).unwrap().name(),
            method.name
        );
        assert_eq!(methods::method_title(method.name), method.title);
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

#[test]
fn what_does_not_fit_is_one_clear_error() {
    let (network, _) = network("vgg");
    let says = |images: &Images, class: usize, panel: Panel<Network>, words: &[&str]| {
        let error = panel
            .explain(&network, images, class)
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
    let fixture = Fixture::read("captum/plain.safetensors");
    let file = fixture.file();
    let error = |description: &str| {
        json::network(description, &file, &device())
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
            r#"[{"conv2d": {"in": 1, "out": 1, "kernel": 3, "padding_mode": 2}}]"#,
            "unknown field `padding_mode`",
        ),
        (
            r#"[{"conv2d": {"in": 4, "out": 6, "kernel": 3, "groups": 4}}]"#,
            "4 channels in and 6 out cannot be divided into 4 groups",
        ),
        (
            r#"[{"conv2d": {"in": 4, "out": 6, "kernel": 3, "groups": 0}}]"#,
            "0 groups",
        ),
        (
            r#"[{"conv2d": {"in": 4, "out": 6, "kernel": 3, "dilation": [1, 0]}}]"#,
            "a dilation must be at least 1",
        ),
        (r#"[{"max_pool2d": {"kernel": 0}}]"#, "at least 1"),
        (
            r#"[{"max_pool2d": {"kernel": 2, "padding": 2}}]"#,
            "half of its kernel",
        ),
        (r#"[{"dropout": 2}]"#, "not a probability"),
        (
            r#"[{"linear": {"in": 0, "out": 2}}]"#,
            "at least 1 channel or feature",
        ),
    ] {
        let found = error(description);
        assert!(found.contains(words), "{found}");
    }
}
