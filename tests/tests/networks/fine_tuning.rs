//! Networks that begin with weights of another task.

use std::path::Path;

use ndarray::{Array2, Axis};
use tests::{device, error};
use xai_core::device::Tensor;
use xai_core::network::{self, Layer, Loaded, Network, load_for_fine_tuning, load_weights};

use crate::{file, outputs, read};

/// A network of the fixtures for another task: with a last layer for 2 classes and other weights
/// everywhere.
fn for_another_task(layers: &str, weights: &str) -> Network {
    let mut network = read(layers, weights).unwrap();
    let last = network.layers.len() - 1;
    for layer in network.layers_mut() {
        match layer {
            Layer::Conv2d(conv) => conv.weight = conv.weight.ones_like(),
            Layer::Linear(linear) => linear.weight = linear.weight.ones_like(),
            _ => {}
        }
    }
    let Layer::Linear(linear) = &network.layers[last] else {
        panic!("it ends in a linear layer")
    };
    let [_, inputs] = linear.weight.dims();
    network.layers[last] = Layer::Linear(network::Linear {
        weight: Tensor::ones([2, inputs], &device()),
        bias: Some(Tensor::ones([2], &device())),
    });
    network
}

/// The first `count` layers of a network.
fn beginning(network: &Network, count: usize) -> Array2<f32> {
    outputs(&Network::new(network.layers[..count].to_vec()))
}

#[test]
fn a_network_for_another_task_keeps_all_but_its_last_layer() {
    for (layers, weights) in [
        ("layers.json", "zip.pth"),
        ("layers.json", "legacy.pth"),
        ("layers.json", "torch.onnx"),
        ("dense.json", "keras.onnx"),
    ] {
        let mut network = for_another_task(layers, weights);
        let last = network.layers.len() - 1;
        let kept = load_for_fine_tuning(&mut network, &file(weights)).unwrap();
        assert_eq!(kept, Loaded::AllButLast, "{weights}");
        let features = beginning(&network, last);
        assert_eq!(features, beginning(&read(layers, weights).unwrap(), last));
        // The last layer is the network's own: it adds everything up.
        let sums = features.map_axis(Axis(1), |features| features.sum() + 1.0);
        let sums = ndarray::stack![Axis(1), sums, sums];
        assert!(error(&outputs(&network), &sums) < 1e-6, "{weights}");
    }
}

/// Fully connected layers of another shape, and files that have none.
#[test]
fn a_network_for_another_task_may_get_its_convolutions_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut network = for_another_task("dense.json", "keras.onnx");
    network.layers[4] = Layer::Linear(network::Linear {
        weight: Tensor::ones([5, 12], &device()),
        bias: None,
    });
    network.layers.remove(6);
    network.layers[6] = Layer::Linear(network::Linear {
        weight: Tensor::ones([2, 5], &device()),
        bias: None,
    });
    let whole = read("dense.json", "keras.onnx").unwrap();
    let (named, alone) = (folder.path().join("named"), folder.path().join("alone"));
    whole.save(&named).unwrap();
    let convolutions = Network::new(whole.layers[..3].to_vec());
    convolutions.save(&alone).unwrap();
    for weights in [&file("keras.onnx"), &named, &alone] {
        let mut network = network.clone();
        let kept = load_for_fine_tuning(&mut network, weights).unwrap();
        assert_eq!(kept, Loaded::Convolutions, "{}", weights.display());
        assert_eq!(beginning(&network, 4), beginning(&whole, 4));
        let fives = beginning(&network, 4).map_axis(Axis(1), |x| 5.0 * x.sum().max(0.0));
        let fives = ndarray::stack![Axis(1), fives, fives];
        assert!(error(&outputs(&network), &fives) < 1e-6);
    }
}

#[test]
fn what_a_network_for_another_task_cannot_do_without_is_named() {
    // Of 1000 classes asked for 2, the way out.
    let folder = tempfile::tempdir().unwrap();
    for (layers, weights, classes) in [
        ("layers.json", "zip.pth", 3),
        ("dense.json", "keras.onnx", 4),
    ] {
        let mut network = for_another_task(layers, weights);
        let problem = load_weights(&mut network, &file(weights)).unwrap_err();
        let problem = problem.to_string();
        for part in [
            format!("is of a network with {classes} classes"),
            format!("`--classes {classes}`"),
            "fine-tune it for 2 classes (`network::load_for_fine_tuning`".into(),
        ] {
            assert!(problem.contains(&part), "{problem}");
        }
    }
    let says = |network: &Network, weights: &Path, parts: &[&str]| {
        let problem = load_for_fine_tuning(&mut network.clone(), weights).unwrap_err();
        let problem = problem.to_string();
        for part in parts {
            assert!(problem.contains(part), "`{part}` is not in: {problem}");
        }
    };
    // Convolutions that do not fit, or more of them than the network has.
    let network = for_another_task("dense.json", "keras.onnx");
    says(
        &network,
        &file("zip.pth"),
        &[
            "zip.pth",
            "3.weight: is [4, 3, 3, 3], but the network has no such parameter",
        ],
    );
    says(
        &network,
        &file("torch.onnx"),
        &["torch.onnx", "network: nothing; file: `1.weight`"],
    );
    let other = folder.path().join("other");
    let mut narrow = read("layers.json", "zip.pth").unwrap();
    let Layer::Conv2d(conv) = &mut narrow.layers[0] else {
        panic!("it begins with a convolution")
    };
    conv.weight = Tensor::ones([3, 1, 3, 3], &device());
    narrow.save(&other).unwrap();
    let network = for_another_task("layers.json", "zip.pth");
    says(
        &network,
        &other,
        &["0.weight: is [3, 1, 3, 3], should be [3, 2, 3, 3]"],
    );
    let mut headless = network;
    headless.layers.truncate(4);
    says(
        &headless,
        &file("zip.pth"),
        &["does not end in a fully connected layer"],
    );
}
