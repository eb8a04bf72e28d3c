//! The written-out backward pass of training against Burn's autodiff on the same layers.

mod autodiff;

use burn::tensor::{Distribution, activation};
use xai_core::device::{Device, DeviceChoice, Tensor};
use xai_core::network::ops::Window;
use xai_core::network::{BatchNorm2d, Conv2d, Layer, Linear, Network};
use xai_core::random;
use xai_core::training::{Depth, backward};

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

fn assert_close(name: &str, ours: Tensor<1>, theirs: Option<Tensor<1>>) {
    let theirs = theirs.expect("autodiff reached the parameter").into_data();
    let (ours, theirs) = (ours.into_data(), theirs);
    let theirs = theirs.as_slice::<f32>().unwrap();
    let largest = theirs.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    assert!(largest > 0.0, "{name}: nothing to compare");
    for (a, b) in ours.as_slice::<f32>().unwrap().iter().zip(theirs) {
        assert!((a - b).abs() <= 2e-5 * largest, "{name}: {a} is not {b}");
    }
}

#[test]
fn every_gradient_equals_autodiff() {
    let device = DeviceChoice::Flex.open().unwrap();
    let mut ours = network(&device);
    let theirs = autodiff::parameters(&ours);
    let x = uniform([5, 3, 21, 18], &device);
    let class = [0, 1, 2, 1, 1];

    let logits = autodiff::forward(
        &ours,
        &theirs,
        autodiff::Tensor::from_inner(x.clone()),
        true,
    );
    let logits = activation::log_softmax(logits.reshape([5, 3]), 1);
    let picked = (0..5).map(|i| {
        let row = logits.clone().narrow(0, i, 1);
        row.narrow(1, class[i] as usize, 1).sum()
    });
    let loss = picked.reduce(|a, b| a + b).unwrap() / -5.0;
    let grads = loss.backward();

    let step = backward::step(&mut ours.layers, x, &class, &mut random::stream(0, "test"));
    let mut compared = 0;
    for (at, (theirs, gradients)) in theirs.iter().zip(step.gradients).enumerate() {
        let Some(theirs) = theirs else {
            assert!(gradients.is_none());
            continue;
        };
        let weight = theirs.weight.grad(&grads);
        let bias = theirs.bias.as_ref().and_then(|bias| bias.grad(&grads));
        let gradients = gradients.expect("a layer with parameters");
        assert_close(&format!("weight of layer {at}"), gradients.weight, weight);
        if at != 0 {
            // The bias before a batch norm has no influence: its gradient is rounding.
            let bias_grad = gradients.bias.unwrap();
            assert_close(&format!("bias of layer {at}"), bias_grad, bias);
        }
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn folding_batch_norm_changes_no_logit() {
    let device = DeviceChoice::Flex.open().unwrap();
    let mut network = network(&device);
    let x = uniform([4, 3, 21, 18], &device);
    // A training step gives the running statistics values of their own.
    backward::step(
        &mut network.layers,
        x.clone(),
        &[0, 1, 2, 0],
        &mut random::stream(0, "t"),
    );
    let before = network.forward(x.clone());
    let folded = network.clone().fold_batch_norm();
    assert_eq!(folded.layers.len(), network.layers.len() - 1);
    let difference = (folded.forward(x) - before.clone())
        .abs()
        .max()
        .into_scalar();
    assert!(difference <= 1e-5 * before.abs().max().into_scalar());
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
        error.contains("network.safetensors") && error.contains("no whole"),
        "{error}"
    );
}
