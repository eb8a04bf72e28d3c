//! VGG-16, VGG-16 with batch norm and ResNet-18 as in torchvision, at full width, compared with Captum and zennit in
//! float64. `fixtures/deep/make.py` makes the values, and explains why no input of a ReLU is close to 0.

use std::collections::HashMap;
use std::iter::repeat_n;

use burn::tensor::TensorData;
use ndarray::{Array2, Array4, Axis, s};
use safetensors::serialize_to_file;
use safetensors::tensor::{Dtype, TensorView};
use tests::{Fixture, device, download, error, fixture, upload};
use xai_core::attribution::{Baseline, DeepLift, GradCam, LrpComposite, Panel, layer_activation};
use xai_core::device::Tensor;
use xai_core::network::{BatchNorm2d, Layer, Network, VggConfig, json};

use crate::common::{TARGET, the_eight};

/// What a method's map may be off, of its largest value. DeepLIFT divides by differences that may be small
/// (PyTorch in float32 is off by up to 6.5e-6, ours by 1.0e-5); composites first multiply batch norm into weights.
fn tolerance(method: &str) -> f32 {
    match method {
        _ if method.starts_with("deep_lift") || method.starts_with("lrp_epsilon") => 1e-4,
        _ => 1e-5,
    }
}

/// Numbers in [0, 1) by count: SplitMix64's output function, as in the script.
fn counted(count: u64) -> f64 {
    let z = (count + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ z >> 31) >> 40) as f64 / f64::from(1 << 24)
}

/// Torchvision's name, shape and values of one parameter.
type Parameter = (String, Vec<usize>, Vec<f32>);

/// The parameters of one of torchvision's networks in their order: all from one counter, but for the biases
/// that the script has moved and the kernels that it has mirrored. `layers` are our names of the layers with parameters.
fn parameters(name: &str, layers: Vec<String>, file: &Fixture) -> impl Iterator<Item = Parameter> {
    let shapes = std::fs::read_to_string(fixture("networks/torchvision.json")).unwrap();
    let mut shapes: HashMap<String, Vec<(String, Vec<usize>)>> =
        serde_json::from_str(&shapes).unwrap();
    let shapes = shapes.remove(name).unwrap();
    let (mut count, mut layers, mut last) = (0, layers.into_iter(), String::new());
    let mut own = String::new();
    shapes.into_iter().map(move |(name, shape)| {
        let (at, parameter) = name.rsplit_once('.').unwrap();
        if at != last {
            (last, own) = (at.into(), layers.next().unwrap());
        }
        let (first, size) = (count, shape.iter().product::<usize>());
        count += size as u64;
        let moved = file.find(&format!("bias.{own}"));
        if let (Some(moved), "bias") = (moved, parameter) {
            return (name, shape, moved.into_iter().collect());
        }
        let fan_in: usize = shape[1..].iter().product();
        let number = |u: f64| match parameter {
            _ if shape.len() > 1 => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
            "running_var" | "weight" => 0.5 + u,
            _ => 0.2 * (2.0 * u - 1.0),
        };
        let values = (first..count).map(|at| number(counted(at)) as f32);
        let mut values: Vec<f32> = values.collect();
        if let (Some(variants), &[_, inputs, h, w]) =
            (file.find(&format!("variant.{own}")), shape.as_slice())
        {
            for (kernels, &number) in values.chunks_mut(inputs * h * w).zip(&variants) {
                mirror(kernels, [h, w], number as u8);
            }
        }
        (name, shape, values)
    })
}

/// Kernels of `h` rows and `w` columns mirrored up and down (bit 1 of `number`), left and right (2) and negated (4).
fn mirror(kernels: &mut [f32], [h, w]: [usize; 2], number: u8) {
    for kernel in kernels.chunks_mut(h * w) {
        if number & 1 > 0 {
            let rows: Vec<f32> = kernel.rchunks(w).flatten().copied().collect();
            kernel.copy_from_slice(&rows);
        }
        if number & 2 > 0 {
            kernel.chunks_mut(w).for_each(<[f32]>::reverse);
        }
        if number & 4 > 0 {
            kernel.iter_mut().for_each(|value| *value = -*value);
        }
    }
}

/// Our names of the layers with parameters.
fn weighted(network: &Network) -> Vec<String> {
    let layers = network.named_layers().into_iter();
    let weighted = |layer: &Layer| {
        matches!(
            layer,
            Layer::Conv2d(_) | Layer::Linear(_) | Layer::BatchNorm2d(_)
        )
    };
    let layers = layers.filter(|(_, layer)| weighted(layer));
    layers.map(|(name, _)| name).collect()
}

/// Torchvision's `vgg16` or `vgg16_bn` with the fixture's parameters.
fn vgg(name: &str, file: &Fixture) -> Network {
    // The layers of a narrow network, which then get tensors of the full width.
    let narrow = VggConfig {
        width_divisor: 64,
        pooled: 7,
        dropout: 0.5,
        classes: 3,
    };
    let layers = narrow.init(false, 0, &device()).layers.into_iter();
    let norms = usize::from(name == "vgg16_bn");
    let layers = layers.flat_map(|layer| {
        let norms = norms * usize::from(matches!(layer, Layer::Conv2d(_)));
        let norm = Layer::BatchNorm2d(BatchNorm2d::identity(1, &device()));
        [layer].into_iter().chain(repeat_n(norm, norms))
    });
    let mut network = Network::new(layers.collect());
    let mut parameters = parameters(name, weighted(&network), file);
    fn next<const D: usize>(parameters: &mut impl Iterator<Item = Parameter>) -> Tensor<D> {
        let (_, shape, values) = parameters.next().unwrap();
        Tensor::from_data(TensorData::new(values, shape), &device())
    }
    let from = &mut parameters;
    for layer in &mut network.layers {
        match layer {
            Layer::Conv2d(conv) => (conv.weight, conv.bias) = (next(from), Some(next(from))),
            Layer::Linear(linear) => (linear.weight, linear.bias) = (next(from), Some(next(from))),
            Layer::BatchNorm2d(norm) => {
                (norm.weight, norm.bias) = (next(from), next(from));
                (norm.mean, norm.variance) = (next(from), next(from));
            }
            _ => {}
        }
    }
    assert!(parameters.next().is_none());
    network
}

/// Torchvision's `resnet18` with the fixture's parameters, read from a file under torchvision's names.
fn resnet18(file: &Fixture) -> Network {
    let layers = weighted(&Network::resnet18(3, 0, &device()));
    let tensors = parameters("resnet18", layers, file).map(|(name, shape, values)| {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        (name, shape, bytes)
    });
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors.collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet18.safetensors");
    serialize_to_file(views, None, &path).unwrap();
    json::read("resnet18", 3, &path, &device()).unwrap()
}

/// Every method of the panel that the fixture has, and the scores.
fn assert_parity(network: &Network, file: &Fixture, panel: Panel<Network>, methods: usize) {
    let images = file.images();
    let logits: Array2<f32> = download(network.forward(upload(&images.pixels)));
    assert!(error(&logits, &file.array("logits")) < 1e-5);
    let baseline: Array4<f32> = file.array("baseline");
    let panel = panel.baseline(Baseline::Image(baseline.index_axis_move(Axis(0), 0)));
    let maps = panel.explain(network, &images, TARGET).unwrap();
    assert_eq!(maps.len(), methods);
    for map in maps {
        let kept = map.values.slice(s![.., .., ..;2, ..;2]).to_owned();
        let error = error(&kept, &file.array(map.method));
        println!("{}: {error:e}", map.method);
        assert!(
            error < tolerance(map.method),
            "{}: off by {error:e}",
            map.method
        );
    }
}

#[test]
fn vgg_16_is_explained_as_by_captum() {
    let file = Fixture::read("deep/vgg16.safetensors");
    let panel = the_eight(0).with(DeepLift::captum());
    assert_parity(&vgg("vgg16", &file), &file, panel, 9);
}

#[test]
fn vgg_16_with_batch_norm_is_explained_as_by_captum() {
    let file = Fixture::read("deep/vgg16_bn.safetensors");
    let panel = the_eight(0).with(DeepLift::captum());
    assert_parity(&vgg("vgg16_bn", &file), &file, panel, 9);
}

#[test]
fn resnet_18_is_explained_as_by_captum_and_zennit() {
    let file = Fixture::read("deep/resnet18.safetensors");
    let network = resnet18(&file);
    let panel = the_eight(0)
        .with(DeepLift::captum())
        .with(GradCam::default().nearest()) // as Captum enlarges it
        .with(LrpComposite::epsilon_plus())
        .with(LrpComposite::epsilon_alpha2_beta1())
        .with(LrpComposite::epsilon_gamma_box(0.0, 1.0));
    assert_parity(&network, &file, panel, 13);

    // Merging batch norm, within residual blocks too, leaves the function as it is.
    let scores = |network: &Network| {
        layer_activation(network, &file.images(), network.layers.len() - 1).unwrap()
    };
    let merged = network.clone().fold_batch_norm();
    assert!(!merged.has_batch_norm());
    assert!(error(&scores(&merged), &scores(&network)) < 1e-5);
}
