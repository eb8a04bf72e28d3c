//! Attributions against Captum's on small networks (`fixtures/captum/make.py`), and what holds for
//! them by definition: the gradient is autodiff's, integrated gradients and DeepLIFT are complete,
//! batches do not matter, and a panel runs no forward pass twice.

use std::path::PathBuf;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, Array4, Array5, Axis};
use safetensors::SafeTensors;
use xai_core::attribution::{
    Deconvolution, DeepLift, Explain, GradientShap, GuidedBackprop, Images, InputXGradient,
    IntegratedGradients, Laplace, Lrp, Map, NoModel, Panel, Saliency, Sobel, Trace,
    layer_evaluations,
};
use xai_core::device::{Device, DeviceChoice};
use xai_core::network::{Layer, Network, json};
use xai_core::score::Precision;

const NETWORKS: [&str; 9] = [
    "plain",
    "strided",
    "overlapping_pools",
    "relu_before_pool",
    "pool_first",
    "enlarging_average",
    "batch_norm",
    "ties",
    "vgg",
];

/// A network, images, and what Captum says about them.
struct Fixture {
    bytes: Vec<u8>,
    network: Network,
    images: Images,
    classes: usize,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/captum");
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let description = &metadata.metadata().as_ref().unwrap()["network"];
        let network = json::network(description, &file, &cpu()).unwrap();
        let (shape, values) = tensor(&file, "input");
        let input = Array4::from_shape_vec([shape[0], shape[1], shape[2], shape[3]], values).unwrap();
        let (logits, _) = tensor(&file, "logits");
        let class = vec![0; shape[0]];
        Self {
            network,
            images: Images::new(input, class),
            classes: logits[1],
            bytes,
        }
    }

    /// Captum's attributions of a class, if it has that method for this network.
    fn captum(&self, method: &str, class: usize) -> Array4<f32> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let (s, values) = tensor(&file, method);
        let all = Array5::from_shape_vec([s[0], s[1], s[2], s[3], s[4]], values).unwrap();
        all.index_axis_move(Axis(0), class)
    }

    fn logits(&self) -> Array2<f32> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let (s, values) = tensor(&file, "logits");
        Array2::from_shape_vec([s[0], s[1]], values).unwrap()
    }

    fn input(&self) -> xai_core::device::Tensor<4> {
        let (n, c, h, w) = self.images.pixels.dim();
        let values = self.images.pixels.iter().copied().collect();
        Tensor::from_data(TensorData::new(values, [n, c, h, w]), &cpu())
    }
}

fn cpu() -> Device {
    DeviceChoice::Flex.open().unwrap()
}

fn tensor(file: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter();
    let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (tensor.shape().to_vec(), values)
}

fn the_eight() -> Panel<Network> {
    Panel::new()
        .with(IntegratedGradients::default())
        .with(GradientShap::default())
        .with(DeepLift)
        .with(Saliency)
        .with(InputXGradient)
        .with(GuidedBackprop)
        .with(Deconvolution)
        .with(Lrp::epsilon(1e-9))
}

fn explain(network: &Network, images: &Images, class: usize) -> Vec<Map> {
    the_eight().explain(network, images, class).unwrap()
}

fn explain_by(method: impl Explain<Network> + 'static, fixture: &Fixture, class: usize) -> Array4<f32> {
    let panel = Panel::new().with(method);
    let mut maps = panel.explain(&fixture.network, &fixture.images, class).unwrap();
    maps.remove(0).values
}

fn largest<'a>(values: impl IntoIterator<Item = &'a f32>) -> f32 {
    values.into_iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The largest difference as a share of the largest value that is expected.
fn error(found: &Array4<f32>, expected: &Array4<f32>) -> f32 {
    assert_eq!(found.dim(), expected.dim());
    assert!(found.iter().all(|value| value.is_finite()));
    largest(&(found - expected)) / largest(expected).max(f32::MIN_POSITIVE)
}

#[test]
fn logits_are_torchs() {
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        let found = fixture.network.forward(fixture.input()).into_data();
        let expected = fixture.logits();
        let found = Array2::from_shape_vec(expected.dim(), found.into_vec().unwrap()).unwrap();
        assert!(largest(&(&found - &expected)) < 1e-5 * largest(&expected), "{name}");
    }
}

#[test]
fn every_method_gives_captums_values() {
    let mut failures = Vec::new();
    for name in NETWORKS {
        let fixture = Fixture::read(name);
        for class in 0..fixture.classes {
            for map in explain(&fixture.network, &fixture.images, class) {
                let error = error(&map.values, &fixture.captum(map.method, class));
                if error > 1e-5 {
                    failures.push(format!("{name}, class {class}, {}: {error:e}", map.method));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn dump_alphas() {
    for i in 0..3 { println!("{:?}", GradientShap::default().alphas(i)); }
}
