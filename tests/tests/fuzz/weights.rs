//! Files of weights in all formats.

use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use tests::{cpu, fixture};
use xai_core::network::{Network, json, load_for_fine_tuning, load_weights};

use crate::fuzz;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    bytes: String,
    layers: serde_json::Value,
}

/// The files of `fixtures/weights` whose names end so, and the network of the first.
fn seeds(end: &str) -> (Vec<Vec<u8>>, Network) {
    let file = std::fs::File::open(fixture("weights/cases.json.gz")).unwrap();
    let Cases { cases } = serde_json::from_reader(GzDecoder::new(file)).unwrap();
    let plain = cases.iter().find(|case| case.name == "plain.onnx").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let bytes = |case: &Case| -> Vec<u8> {
        let pairs = case.bytes.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    std::fs::write(at("layers.json"), plain.layers.to_string()).unwrap();
    std::fs::write(at("weights"), bytes(plain)).unwrap();
    let network = json::read(
        at("layers.json").to_str().unwrap(),
        0,
        &at("weights"),
        &cpu(),
    );
    let wanted = cases.iter().filter(|case| case.name.ends_with(end));
    (wanted.map(bytes).collect(), network.unwrap())
}

fn run(target: &str, seeds: &[Vec<u8>], network: &Network) {
    let folder = tempfile::tempdir().unwrap();
    fuzz(target, seeds, 40, folder.path(), |path: &Path, kept| {
        let mut loaded = network.clone();
        let _ = load_for_fine_tuning(&mut loaded, path);
        let mut loaded = network.clone();
        let read = load_weights(&mut loaded, path).is_ok();
        if let (true, Some(kept)) = (read, kept) {
            loaded.save(&kept.with_extension("read")).unwrap();
        }
        read
    });
}

#[test]
fn zipped_pth() {
    let (mut seeds, network) = seeds(".pth");
    seeds.retain(|bytes| bytes.starts_with(b"PK"));
    run("zipped_pth", &seeds, &network);
}

#[test]
fn legacy_pth() {
    let (seeds, network) = seeds(".legacy.pth");
    run("legacy_pth", &seeds, &network);
}

#[test]
fn safetensors() {
    let (seeds, network) = seeds(".safetensors");
    run("safetensors", &seeds, &network);
}

#[test]
fn onnx() {
    let (mut seeds, network) = seeds(".onnx");
    for name in ["torch.onnx", "keras.onnx"] {
        seeds.push(std::fs::read(fixture("networks").join(name)).unwrap());
    }
    run("onnx", &seeds, &network);
}

#[test]
fn burnpack() {
    use burn::module::Module;
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::nn::{Linear, LinearConfig};
    use burn_store::{BurnpackStore, ModuleSnapshot};
    use xai_core::device::Backend;

    #[derive(Module, Debug)]
    struct Own<B: burn::tensor::backend::Backend> {
        conv: Conv2d<B>,
        dense: Linear<B>,
    }
    let device = cpu();
    let own = Own::<Backend> {
        conv: Conv2dConfig::new([2, 3], [3, 3]).init(&device),
        dense: LinearConfig::new(27, 3).init(&device),
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    own.save_into(&mut BurnpackStore::from_file(at("own.bpk")))
        .unwrap();
    let layers = r#"[{"conv2d": {"name": "conv", "in": 2, "out": 3, "kernel": 3}}, "flatten",
        {"linear": {"name": "dense", "in": 27, "out": 3}}]"#;
    std::fs::write(at("layers.json"), layers).unwrap();
    let layers = at("layers.json");
    let seeds = [std::fs::read(at("own.bpk")).unwrap()];
    fuzz("burnpack", &seeds, 40, folder.path(), |path, _| {
        json::read(layers.to_str().unwrap(), 0, path, &cpu()).is_ok()
    });
}
