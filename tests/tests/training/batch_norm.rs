//! Batch norm that is folded into other layers, and batch norm that is given to a network without it.

use burn::tensor::TensorData;
use rand::Rng;
use xai_core::device::Tensor;
use xai_core::network::{Layer, Network, VggConfig};
use xai_core::random;
use xai_core::training::{backward, insert_batch_norm};

use super::{network, uniform};
use tests::device as cpu;

#[test]
fn folding_batch_norm_changes_no_logit() {
    let device = cpu();
    let mut network = network(&device);
    let x = uniform([4, 3, 21, 18], &device);
    // A training step gives the running statistics values of their own.
    backward::step(
        &mut network,
        x.clone(),
        &[0, 1, 2, 0],
        &mut random::stream(0, "t"),
    );
    let before = network.forward(x.clone());
    let folded = network.clone().fold_batch_norm();
    assert_eq!(folded.layers.len(), network.layers.len() - 1);
    assert!(difference(folded.forward(x), before) <= 1e-5);
}

/// Numbers from -1 to 1, the same in every run.
fn drawn<const D: usize>(shape: [usize; D], name: &str) -> Tensor<D> {
    let mut stream = random::stream(0, name);
    let numbers = (0..shape.iter().product()).map(|_| stream.random_range(-1.0..1.0));
    let numbers: Vec<f32> = numbers.collect();
    Tensor::from_data(TensorData::new(numbers, shape), &cpu())
}

/// A plain VGG whose layers differ much in scale, as those of Caffe do. One channel of its second convolution has
/// the same value everywhere, and one of its third is always negative.
fn plain() -> Network {
    let config = VggConfig {
        width_divisor: 16,
        pooled: 2,
        dropout: 0.0,
        classes: 3,
    };
    let mut network = config.init(false, 5, &cpu());
    let mut number = 0;
    for layer in &mut network.layers {
        if let Layer::Conv2d(conv) = layer {
            let [outputs, ..] = conv.weight.dims();
            let factor = if number % 2 == 0 { 30.0 } else { 0.2 };
            conv.weight = conv.weight.clone() * factor;
            conv.bias = Some(drawn([outputs], &format!("bias {number}")) * factor);
            let change =
                |bias: Option<Tensor<1>>, to: f64| bias.map(|bias| bias.slice_fill(0..1, to));
            if number == 1 {
                conv.weight = conv.weight.clone().slice_fill(0..1, 0.0);
                conv.bias = change(conv.bias.take(), 0.7);
            }
            if number == 2 {
                conv.bias = change(conv.bias.take(), -1e3);
            }
            number += 1;
        }
    }
    network
}

fn difference(a: Tensor<4>, b: Tensor<4>) -> f32 {
    let largest = b.clone().abs().max().into_scalar();
    (a - b).abs().max().into_scalar() / largest
}

#[test]
fn given_batch_norm_changes_no_logit() {
    let plain = plain();
    let x = drawn([6, 3, 40, 36], "images");
    let before = plain.forward(x.clone());
    let mut normal = insert_batch_norm(plain.clone(), x.clone()).unwrap();
    // 13 convolutions and two of the three linear layers.
    assert_eq!(normal.layers.len(), plain.layers.len() + 15);

    // In evaluation mode, also for images that did not set the statistics.
    assert!(difference(normal.forward(x.clone()), before.clone()) < 1e-4);
    let others = drawn([2, 3, 40, 36], "others");
    let of_others = plain.forward(others.clone());
    assert!(difference(normal.forward(others), of_others) < 1e-4);

    // A training step on the same images has the same statistics, and therefore the same logits.
    let (images, mut stream) = (x.clone(), random::stream(0, "t"));
    let step = backward::step(&mut normal, images, &[0, 1, 2, 0, 1, 2], &mut stream);
    let logits = step.logits.reshape([6, 3, 1, 1]);
    assert!(difference(logits, before) < 1e-3);
}

#[test]
fn a_network_with_given_batch_norm_has_activations_of_one_size() {
    let x = drawn([6, 3, 40, 36], "images");
    let network = insert_batch_norm(plain(), x.clone()).unwrap();
    let mut now = x;
    for (at, layer) in network.layers.iter().enumerate() {
        now = layer.forward(now);
        if !matches!(network.layers.get(at + 1), Some(Layer::BatchNorm2d(_))) {
            continue;
        }
        let [_, channels, ..] = now.dims();
        let rows = now.clone().swap_dims(0, 1).reshape([channels as i32, -1]);
        let (variance, _) = rows.clone().var_mean_bias(1);
        let variance: Vec<f32> = variance.into_data().to_vec().unwrap();
        let constant = rows.clone().max_dim(1) - rows.min_dim(1);
        let constant: Vec<f32> = constant.into_data().to_vec().unwrap();
        for (variance, range) in variance.into_iter().zip(constant) {
            // Sums of squares lose digits where the mean is much larger than the deviation.
            assert!(range == 0.0 || (variance - 1.0).abs() < 1e-2, "{variance}");
        }
    }
}

#[test]
fn only_a_plain_network_can_be_given_batch_norm() {
    let x = uniform([4, 3, 21, 18], &cpu());
    let problem = insert_batch_norm(network(&cpu()), x).unwrap_err();
    assert!(problem.to_string().contains("layer 1 (counted from 0)"));
}
