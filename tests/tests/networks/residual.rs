//! Residual blocks. The tests of attribution explain a ResNet-18.

use ndarray::{Array2, Array4};
use safetensors::SafeTensors;
use tests::{device, download, upload};
use xai_core::attribution::{Images, Panel, Saliency};
use xai_core::network::{Network, json};

/// Saved with its layers, a network with residual blocks comes back as it was.
#[test]
fn a_resnet_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let network = Network::resnet18(2, 0, &device());
    network.save(&path).unwrap();
    let again = Network::load(&path, &device()).unwrap();
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
            &device(),
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
