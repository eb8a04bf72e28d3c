//! Training: the backward pass compared with Burn's autodiff on the same layers, and whole trainings compared with PyTorch.

#[path = "../autodiff/mod.rs"]
mod autodiff;
mod batch_norm;
mod gradients;
mod plans;
mod pytorch;
mod regression;

use burn::tensor::Distribution;
use ndarray::Array3;
use tests::{Fixture, device};
use xai_core::dataset::Dataset;
use xai_core::device::{Device, DeviceChoice, Tensor};
use xai_core::lesions::{Depth, paper_plan};
use xai_core::network::ops::Window;
use xai_core::network::{BatchNorm2d, Conv2d, Layer, Linear, Network};
use xai_core::training::{Examples, Sgd, TrainingPlan, fit};

fn uniform<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// Two convolutions (the second strided, so that Burn's own operation serves it), batch norm,
/// overlapping pools, an enlarging average pool and two linear layers.
fn network(device: &Device) -> Network {
    let conv = |inputs, outputs, stride, padding| {
        let weight = uniform([outputs, inputs, 3, 3], device);
        let bias = Some(uniform([outputs], device));
        Layer::Conv2d(Conv2d::new(weight, bias, [stride; 2], [padding; 2]))
    };
    let linear = |inputs, outputs| {
        Layer::Linear(Linear {
            weight: uniform([outputs, inputs], device),
            bias: Some(uniform([outputs], device)),
        })
    };
    let pool = |kernel, stride, padding| {
        Layer::MaxPool2d(Window {
            kernel: [kernel, kernel],
            stride: [stride, stride],
            padding: [padding, padding],
        })
    };
    Network::new(vec![
        conv(3, 10, 1, 1),
        Layer::BatchNorm2d(BatchNorm2d::identity(10, device)),
        Layer::Relu,
        pool(2, 2, 0),
        conv(10, 5, 2, 1),
        Layer::Relu,
        conv(5, 9, 1, 0),
        pool(3, 1, 1),
        Layer::AdaptiveAvgPool2d([7, 7]),
        Layer::Flatten,
        linear(9 * 49, 6),
        Layer::Relu,
        linear(6, 3),
    ])
}

#[test]
fn depths_begin_at_whole_blocks() {
    let device = DeviceChoice::Flex.open().unwrap();
    let config = xai_core::network::VggConfig {
        width_divisor: 16,
        pooled: 1,
        dropout: 0.5,
        classes: 2,
    };
    let network = config.init(false, 0, &device);
    let first = |depth: Depth| depth.first_layer(&network);
    // torchvision's numbering: blocks begin at features[24], [17], [10], [5] and [0].
    let all = [
        Depth::Conv1,
        Depth::Conv2,
        Depth::Conv3,
        Depth::Conv4,
        Depth::All,
    ];
    assert_eq!(all.map(first), [24, 17, 10, 5, 0]);
    // The public code's, with D8: features[25:], [18:], [11:], [6:] and [0:].
    let published = |depth: Depth| depth.first_layer_as_published(&network);
    assert_eq!(all.map(published), [25, 18, 11, 6, 0]);
}

#[test]
fn a_network_comes_back_from_its_file() {
    let device = DeviceChoice::Flex.open().unwrap();
    let network = network(&device);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    network.save(&path).unwrap();
    let x = uniform([2, 3, 21, 18], &device);
    let again = Network::load(&path, &device).unwrap();
    let logits = |network: &Network| network.forward(x.clone()).into_data();
    assert_eq!(logits(&again), logits(&network));

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Network::load(&path, &device).unwrap_err().to_string();
    assert!(
        error.contains("network.safetensors") && error.contains("not a complete"),
        "{error}"
    );
}

/// Images of the trainings that PyTorch did as well.
const IMAGES: usize = 44;

/// What frozen layers give is the same from memory, from a file, and computed anew with each batch.
#[test]
fn frozen_layers_give_the_same_however_they_are_kept() {
    let fixture = Fixture::read("training/protocol.safetensors");
    let network = fixture.network();
    let images: Array3<f32> = fixture.array("train");
    let class: Vec<u8> = (0..IMAGES).map(|at| (at % 2) as u8).collect();
    let images = Examples::of(&Dataset::grey(images, class).unwrap(), &device());
    for first in [2, 5, 8] {
        let kept = images.through(&network, first);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frozen.f32");
        let mut bytes = Vec::new();
        let each = |output: Tensor<4>| {
            let numbers: Vec<f32> = output.into_data().into_vec().unwrap();
            bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
            Ok(())
        };
        images.pass(&network, first, each).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let shape = images.shape_after(&network, first);
        let mapped = images.in_file(&path, shape, first).unwrap();
        let end = network.end(first);
        let whole = images.logits(&network, "");
        assert_eq!(kept.logits(&end, ""), whole);
        assert_eq!(mapped.logits(&end, ""), whole);

        let plan = TrainingPlan {
            epochs: 2,
            batch: 8,
            ..paper_plan(Sgd::rate(0.05).momentum(0.5))
        };
        let train = |from: &Examples| {
            let fitted = fit(&network, first, from, from, &plan, 1, |_, _| Ok(()));
            fitted.unwrap().network.fingerprint()
        };
        let trained = train(&images);
        assert_eq!([train(&kept), train(&mapped)], [trained.clone(), trained]);

        std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        let problem = images
            .in_file(&path, shape, first)
            .err()
            .unwrap()
            .to_string();
        assert!(
            problem.contains("frozen.f32") && problem.contains("run again"),
            "{problem}"
        );
    }
}
