//! Training: its backward pass against Burn's autodiff on the same layers, a whole training against PyTorch's.

mod autodiff;

use burn::tensor::{Distribution, activation};
use ndarray::{Array2, Array3};
use tests::{Fixture, device, error, fixture};
use xai_core::dataset::Dataset;
use xai_core::device::{Device, DeviceChoice, Tensor};
use xai_core::lesions::Depth;
use xai_core::network::ops::Window;
use xai_core::network::{BatchNorm2d, Conv2d, Layer, Linear, Network};
use xai_core::random;
use xai_core::training::{Examples, Schedule, Sgd, backward, fit, order};

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
        let weight_grad = gradients.weight.into_numbers();
        assert_close(&format!("weight of layer {at}"), weight_grad, weight);
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
        error.contains("network.safetensors") && error.contains("no whole"),
        "{error}"
    );
}

/// Images, epochs and seed of the training that PyTorch did as well (tests/fixtures/training/make.py).
const IMAGES: usize = 44;
const EPOCHS: usize = 4;
const SEED: u64 = 3;

fn orders() -> Vec<Vec<usize>> {
    (0..EPOCHS)
        .map(|epoch| order(IMAGES, SEED, epoch))
        .collect()
}

/// Not a test: writes what make.py reads.
#[test]
#[ignore = "only before make.py is run again"]
fn write_the_orders_of_the_images() {
    let text = serde_json::to_string(&orders()).unwrap();
    std::fs::write(fixture("training/order.json"), text + "\n").unwrap();
}

/// Losses, accuracies and weights of the paper's training (SGD with momentum, no weight decay, the rate divided by 10)
/// are PyTorch's, with frozen layers as well, whose outputs are computed once here and in every epoch there.
#[test]
fn a_training_is_pytorchs() {
    let kept = std::fs::read(fixture("training/order.json")).unwrap();
    let kept: Vec<Vec<usize>> = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept, orders(), "make the fixture again");
    let fixture = Fixture::read("training/protocol.safetensors");
    let network = fixture.network();
    let examples = |name: &str| {
        let images: Array3<f32> = fixture.array(name);
        let class: Vec<u8> = (0..images.dim().0).map(|at| (at % 2) as u8).collect();
        Examples::of(&Dataset::grey(images, class).unwrap(), &device())
    };
    let (train, validation) = (examples("train"), examples("validation"));
    let schedule = Schedule {
        epochs: EPOCHS,
        batch: 8,
        decay_every: 2,
        ..Schedule::paper(Sgd::rate(0.05).momentum(0.5))
    };
    for (name, first) in [("all", 0), ("block", 5), ("as_published", 6)] {
        let mut last = None;
        let fitted = fit(
            &network,
            first,
            &train,
            &validation,
            &schedule,
            SEED,
            |_, end| {
                last = end.layers.last().cloned();
                Ok(())
            },
        );
        let expected: Array2<f32> = fixture.array(&format!("{name}.history"));
        let history = fitted.unwrap().history;
        assert_eq!(history.len(), EPOCHS, "{name}");
        for (epoch, expected) in history.iter().zip(expected.rows()) {
            let [accuracy, loss, validated, validation_loss] =
                [0, 1, 2, 3].map(|at| f64::from(expected[at]));
            let (found, close) = (epoch.validation, |a: f64, b: f64| (a - b).abs() < 1e-5);
            assert!(
                close(epoch.accuracy, accuracy) && close(found.accuracy, validated),
                "{name} {epoch:?} {expected}"
            );
            assert!(
                close(epoch.loss, loss) && close(found.loss, validation_loss),
                "{name} {epoch:?} {expected}"
            );
        }
        let Some(Layer::Linear(linear)) = last else {
            panic!("it ends in a linear layer");
        };
        let found = linear.weight.into_data().into_vec().unwrap();
        let found = Array2::from_shape_vec((2, 10), found).unwrap();
        assert!(
            error(&found, &fixture.array(&format!("{name}.last"))) < 1e-4,
            "{name}"
        );
    }
}

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

        let schedule = Schedule {
            epochs: 2,
            batch: 8,
            ..Schedule::paper(Sgd::rate(0.05).momentum(0.5))
        };
        let train = |from: &Examples| {
            let fitted = fit(&network, first, from, from, &schedule, 1, |_, _| Ok(()));
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
