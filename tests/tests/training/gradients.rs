//! The gradient of every parameter, compared with Burn's autodiff.

use burn::tensor::activation;
use tests::cpu;
use xai_core::device::Tensor;
use xai_core::network::{Network, json};
use xai_core::random;
use xai_core::training::backward;

use crate::autodiff::{self, Mode};
use crate::{network, uniform};

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

/// Compares every gradient but those of the biases that stand before a batch norm: these have no influence, and what is
/// computed for them is rounding. Gives how many layers were compared.
fn compare(
    name: &str,
    mut ours: Network,
    x: Tensor<4>,
    class: &[u8],
    before_norm: &[&str],
) -> usize {
    let parameters = autodiff::parameters(&ours);
    let images = class.len();
    let stream = || random::stream(5, "dropout");
    let logits = autodiff::forward(
        &ours,
        &parameters,
        autodiff::Tensor::from_inner(x.clone()),
        Mode::Training(&mut stream()),
    );
    let [_, classes, ..] = logits.dims();
    let logits = activation::log_softmax(logits.reshape([images, classes]), 1);
    let picked = class.iter().enumerate().map(|(image, &class)| {
        let row = logits.clone().narrow(0, image, 1);
        row.narrow(1, class as usize, 1).sum()
    });
    let loss = picked.reduce(|a, b| a + b).unwrap() / -(images as f64);
    let grads = loss.backward();

    let step = backward::step(&mut ours, x, class, &mut stream());
    assert_eq!(step.gradients.len(), parameters.len(), "{name}");
    let layers = ours.named_layers().into_iter();
    let layers = layers.filter(|(_, layer)| layer.has_parameters());
    for (((layer, _), theirs), gradients) in layers.zip(&parameters).zip(step.gradients) {
        let weight = theirs.weight.grad(&grads);
        assert_close(
            &format!("{name}: weight of layer {layer}"),
            gradients.weight.into_numbers(),
            weight,
        );
        let bias = theirs.bias.as_ref().and_then(|bias| bias.grad(&grads));
        assert_eq!(gradients.bias.is_some(), theirs.bias.is_some());
        if let (Some(ours), false) = (gradients.bias, before_norm.contains(&layer.as_str())) {
            assert_close(&format!("{name}: bias of layer {layer}"), ours, bias);
        }
    }
    parameters.len()
}

#[test]
fn every_gradient_equals_autodiff() {
    let network = network(&cpu());
    let x = uniform([5, 3, 21, 18], &cpu());
    assert_eq!(compare("plain", network, x, &[0, 1, 2, 1, 1], &["0"]), 6);
}

/// What a training step must know beside the plain layers: residual blocks (one within another, with and without layers
/// in the shortcut, as first layer, without anything to train), every activation, average pools that count
/// their padding and that do not, groups, dilation, dropout.
const OTHERS: [(&str, &str, usize); 5] = [
    (
        "blocks",
        r#"[{"conv2d": {"in": 2, "out": 6, "kernel": 3, "padding": 1, "bias": false}},
            {"batch_norm2d": {"features": 6}}, "relu",
            {"residual": {"branch": [{"conv2d": {"in": 6, "out": 6, "kernel": 3, "padding": 1}}, "relu",
                {"residual": {"branch": [{"conv2d": {"in": 6, "out": 6, "kernel": 1, "bias": false}},
                    {"batch_norm2d": {"features": 6}}], "shortcut": []}},
                {"dropout": 0.3}], "shortcut": []}}, "relu",
            {"residual": {"branch": [{"conv2d": {"in": 6, "out": 10, "kernel": 3, "stride": 2, "padding": 1, "bias": false}},
                    {"batch_norm2d": {"features": 10}}, "relu",
                    {"conv2d": {"in": 10, "out": 10, "kernel": 3, "padding": 1, "bias": false}},
                    {"batch_norm2d": {"features": 10}}],
                "shortcut": [{"conv2d": {"in": 6, "out": 10, "kernel": 1, "stride": 2, "bias": false}},
                    {"batch_norm2d": {"features": 10}}]}}, "relu",
            {"residual": {"branch": ["tanh"], "shortcut": [{"avg_pool2d": {"kernel": 3, "stride": 1, "padding": 1}}]}},
            {"adaptive_avg_pool2d": [2, 3]}, "flatten", {"linear": {"in": 60, "out": 4}}]"#,
        12,
    ),
    (
        "block first",
        r#"[{"residual": {
                "branch": [{"batch_norm2d": {"features": 2}}, "relu", {"conv2d": {"in": 2, "out": 5, "kernel": 3, "padding": 1}}],
                "shortcut": [{"avg_pool2d": {"kernel": 3, "stride": 1, "padding": 1, "count_include_pad": false}}, "sigmoid",
                    {"conv2d": {"in": 2, "out": 5, "kernel": 1}}]}},
            {"avg_pool2d": {"kernel": 3, "stride": 2, "padding": 1, "count_include_pad": false}}, "relu",
            {"avg_pool2d": {"kernel": [2, 3], "padding": [1, 0]}},
            {"adaptive_avg_pool2d": [1, 1]}, "flatten", {"linear": {"in": 5, "out": 4}}]"#,
        4,
    ),
    (
        "only one side of the first block is trained",
        r#"[{"avg_pool2d": {"kernel": 2}},
            {"residual": {"branch": ["relu", {"max_pool2d": {"kernel": 3, "stride": 1, "padding": 1}}],
                "shortcut": ["gelu", {"batch_norm2d": {"features": 2}}]}},
            "flatten", {"linear": {"in": 180, "out": 4}}]"#,
        2,
    ),
    (
        "smooth",
        r#"[{"conv2d": {"in": 2, "out": 6, "kernel": 3, "bias": false}}, "gelu",
            {"conv2d": {"in": 6, "out": 8, "kernel": 3, "groups": 2}}, {"elu": 0.7}, {"dropout": 0.5},
            {"conv2d": {"in": 8, "out": 8, "kernel": 3, "dilation": 2, "padding": 1}}, "gelu_tanh",
            {"conv2d": {"in": 8, "out": 8, "kernel": 3, "groups": 8, "stride": 2}}, {"leaky_relu": 0.1},
            "flatten", {"linear": {"in": 240, "out": 12, "bias": false}}, "tanh",
            {"linear": {"in": 12, "out": 10}}, "sigmoid", {"linear": {"in": 10, "out": 4}}]"#,
        7,
    ),
    (
        // Enough channels for Winograd's convolutions, which take in the ReLU and the pooling after them, and the ReLU before
        // them on the way back. Some planes have an odd size, and the last ones are too small for them. Then what they cannot do.
        "wide",
        r#"[{"conv2d": {"in": 2, "out": 16, "kernel": 3, "padding": 1}}, "relu",
            {"conv2d": {"in": 16, "out": 17, "kernel": 3, "padding": 1}}, "relu", {"max_pool2d": {"kernel": 2}},
            {"conv2d": {"in": 17, "out": 20, "kernel": 3, "padding": 1}}, "relu",
            {"conv2d": {"in": 20, "out": 16, "kernel": 3, "padding": 1}}, "relu",
            {"conv2d": {"in": 16, "out": 16, "kernel": 3, "padding": 1}}, "relu", {"max_pool2d": {"kernel": 2}},
            {"conv2d": {"in": 16, "out": 18, "kernel": 3, "padding": 1}}, "relu",
            {"conv2d": {"in": 18, "out": 16, "kernel": 3, "padding": 1}}, {"max_pool2d": {"kernel": 2}}, "relu",
            {"conv2d": {"in": 16, "out": 16, "kernel": 3, "padding": 1, "groups": 4}}, "relu", {"dropout": 0.0},
            {"conv2d": {"in": 16, "out": 16, "kernel": 3, "padding": 1, "stride": 2}}, "relu",
            {"conv2d": {"in": 16, "out": 8, "kernel": 3, "padding": 2, "dilation": 2}},
            "flatten", {"linear": {"in": 8, "out": 4}}]"#,
        11,
    ),
];

#[test]
fn every_gradient_of_blocks_pools_and_activations_equals_autodiff() {
    for (name, layers, parameters) in OTHERS {
        let network = json::init(layers, 3, &cpu()).unwrap();
        let x = uniform([5, 2, 20, 18], &cpu());
        let compared = compare(name, network, x, &[0, 3, 2, 1, 1], &[]);
        assert_eq!(compared, parameters, "{name}");
    }
}
