//! Residual blocks, and torchvision's ResNet-18.

use std::path::Path;

use ndarray::{Array1, Array2, Array4, s};
use safetensors::SafeTensors;
use safetensors::serialize_to_file;
use safetensors::tensor::{Dtype, TensorView};
use tests::{Fixture, cpu, download, error, upload};
use xai_core::attribution::{
    Deconvolution, DeepLift, GradCam, GradientShap, GuidedBackprop, Images, InputXGradient,
    IntegratedGradients, Lrp, LrpComposite, Panel, Saliency,
};
use xai_core::network::{Network, json};
use xai_core::training::{self, Examples, Optimizer, Schedule};

use crate::file;

/// Numbers in [0, 1) by count: SplitMix64's output function, as in the script.
fn counted(count: u64) -> f64 {
    let z = (count + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ z >> 31) >> 40) as f64 / f64::from(1 << 24)
}

/// The fixture's ResNet-18, its weights written to a file and read under torchvision's names, and its
/// image.
fn resnet18(folder: &Path) -> (Network, Array4<f32>) {
    type Shapes = std::collections::HashMap<String, Vec<(String, Vec<usize>)>>;
    let shapes = std::fs::read_to_string(file("torchvision.json")).unwrap();
    let shapes: Shapes = serde_json::from_str(&shapes).unwrap();
    let mut count = 0;
    let mut next = || {
        count += 1;
        counted(count - 1)
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = (shapes["resnet18"].iter())
        .map(|(name, shape)| {
            let size: usize = shape.iter().product();
            let fan_in: usize = shape[1..].iter().product();
            let number = |u: f64| match name {
                _ if shape.len() > 1 => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
                name if name.ends_with("running_var") || name.ends_with("weight") => 0.5 + u,
                _ => 0.2 * (2.0 * u - 1.0),
            };
            let bytes = (0..size).flat_map(|_| (number(next()) as f32).to_le_bytes());
            (name.clone(), shape.clone(), bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let path = folder.join("resnet18.safetensors");
    serialize_to_file(views, None, &path).unwrap();
    let image = Array4::from_shape_simple_fn((1, 3, 64, 64), || next() as f32);
    (json::read("resnet18", 3, &path, &cpu()).unwrap(), image)
}

#[test]
fn resnet_18_is_explained_as_by_captum_and_zennit() {
    let folder = tempfile::tempdir().unwrap();
    let (network, image) = resnet18(folder.path());
    let theirs = Fixture::read("networks/resnet18.safetensors");
    let x = upload(&image);
    let logits: Array2<f32> = download(network.forward(x.clone()));
    assert!(error(&logits, &theirs.array("logits")) < 1e-5, "{logits:?}");

    let panel = Panel::new()
        .with(IntegratedGradients::default())
        .with(GradientShap::default())
        .with(DeepLift)
        .with(DeepLift::captum())
        .with(Saliency)
        .with(InputXGradient)
        .with(GuidedBackprop)
        .with(Deconvolution)
        .with(Lrp::default())
        .with(GradCam::default())
        .with(LrpComposite::epsilon_plus())
        .with(LrpComposite::epsilon_alpha2_beta1())
        .with(LrpComposite::epsilon_gamma_box(0.0, 1.0));
    for map in panel
        .explain(&network, &Images::new(image, vec![0]), 1)
        .unwrap()
    {
        let kept = map.values.slice(s![.., .., ..;3, ..;3]).to_owned();
        let error = error(&kept, &theirs.array(map.method));
        println!("{}: {error:e}", map.method);
        // At one of the 50 points a ReLU is so near to 0 that it flips in float32; PyTorch's own
        // float32 is off by as much, 5.0e-4.
        let most = match map.method {
            "integrated_gradients" => 1e-3,
            _ => 1e-4,
        };
        assert!(error < most, "{}: off by {error:e}", map.method);
        let sum: f64 = map.values.iter().map(|&x| f64::from(x.abs())).sum();
        let expected: Array1<f32> = theirs.array(&format!("{}.sum", map.method));
        assert!(
            (sum / f64::from(expected[0]) - 1.0).abs() < 1e-4,
            "{}",
            map.method
        );
    }

    // Merging batch norm, within residual blocks too, leaves the function as it is.
    let merged = network.fold_batch_norm();
    assert!(!merged.has_batch_norm());
    assert!(error(&download(merged.forward(x)), &logits) < 1e-5);
}

/// Saved with its layers, a network with residual blocks comes back as it was.
#[test]
fn a_resnet_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let network = Network::resnet18(2, 0, &cpu());
    network.save(&path).unwrap();
    let again = Network::load(&path, &cpu()).unwrap();
    let x = upload(&Array4::ones((1, 3, 32, 32)));
    let before: Array2<f32> = download(network.forward(x.clone()));
    let after: Array2<f32> = download(again.forward(x));
    assert!(before.iter().all(|x| x.is_finite() && *x != 0.0));
    assert_eq!(before, after);
}

#[test]
fn shapes_within_residual_blocks_are_checked() {
    let network = |json: &str| {
        json::network(
            json,
            &SafeTensors::deserialize(b"\x02\0\0\0\0\0\0\0{}").unwrap(),
            &cpu(),
        )
    };
    let images = Images::new(Array4::zeros((1, 1, 4, 4)), vec![0]);
    for (json, part) in [
        (
            r#"[{"residual": {"branch": [{"max_pool2d": {"kernel": 2}}], "shortcut": []}}, "flatten"]"#,
            "layer 0 of the network cannot add what its branch gives, [1, 2, 2]",
        ),
        (
            r#"["relu", {"residual": {"branch": ["tanh", {"avg_pool2d": {"kernel": 5}}], "shortcut": []}}]"#,
            "layer 1.branch.1 of the network has windows of [5, 5]",
        ),
    ] {
        let panel = Panel::new().with(Saliency);
        let error = panel
            .explain(&network(json).unwrap(), &images, 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    let unfit =
        network(r#"[{"residual": {"branch": [{"max_pool2d": {"kernel": 0}}], "shortcut": []}}]"#);
    let error = unfit.unwrap_err().to_string();
    assert!(error.contains("layer 0.branch.0"), "{error}");
}

#[test]
fn training_a_residual_block_is_an_error_and_a_frozen_one_is_not() {
    let network = Network::resnet18(2, 0, &cpu());
    let images = ndarray::Array3::from_shape_fn((4, 32, 32), |(n, y, x)| {
        ((n + 1) * (y + 2 * x) % 7) as f32 / 7.0
    });
    let images = Examples::of_images(images.view(), &[0, 1, 0, 1], &cpu());
    let schedule = Schedule {
        epochs: 1,
        ..Schedule::paper(Optimizer::Adam(1e-3))
    };
    let fit = |first| {
        training::fit(&network, first, &images, &images, &schedule, 0, |_, _| {
            Ok(())
        })
    };
    let error = fit(0).err().unwrap().to_string();
    assert!(
        error.contains("residual blocks cannot be trained"),
        "{error}"
    );
    fit(network.layers.len() - 1).unwrap();
}
