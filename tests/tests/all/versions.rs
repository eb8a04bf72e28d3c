//! No change of a result without a new version: small results of each stage, as digests of all their bits. They are
//! the same on every processor.
//!
//! A digest that differs is no error by itself. It says that cells of existing runs would hold other numbers than this
//! code computes. So raise the version in `xai-core/src/key.rs`, and write the new digests by
//! `INSTA_UPDATE=always cargo test --release -p tests --test all versions::`: their file has the version in its name.

use std::fmt::Write;

use ndarray::Array2;
use tests::{Fixture, cpu};
use xai_core::attribution::methods::{Settings, all, named};
use xai_core::attribution::{Panel, Segments};
use xai_core::device::DeviceChoice;
use xai_core::key::{FIT_CODE, TEST_CODE};
use xai_core::lesions::Lesions;
use xai_core::metrics::{METRICS, combine, named as metric};
use xai_core::network::json;
use xai_core::prelude::*;
use xai_core::tetromino::Tetromino;

/// The digest of numbers, to the last bit.
fn digest(numbers: impl IntoIterator<Item = f64>) -> String {
    let mut hash = blake3::Hasher::new();
    for number in numbers {
        hash.update(&number.to_bits().to_le_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// Compares with the digests of this version.
fn same(name: &str, digests: &str) {
    let settings = || {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path("../../fixtures/versions");
        settings
    };
    settings().bind(|| insta::assert_snapshot!(name, digests));
}

#[test]
fn data_networks_and_training() {
    let out = tempfile::tempdir().unwrap();
    let mut digests = String::new();
    let lesions = Lab::<Lesions>::open(Scale::Smoke, DeviceChoice::Flex, out.path()).unwrap();
    let lab = Lab::<Tetromino>::open(Scale::Smoke, DeviceChoice::Flex, out.path()).unwrap();
    for (name, data) in [
        ("lesions", lesions.validation().unwrap()),
        ("tetrominoes", lab.validation().unwrap()),
    ] {
        let values = data.images().iter().map(|&value| f64::from(value));
        let truth = data
            .truth()
            .unwrap()
            .iter()
            .map(|&set| f64::from(u8::from(set)));
        writeln!(digests, "{name} {}", digest(values.chain(truth))).unwrap();
    }
    let layers = r#"[{"conv2d":{"in":1,"out":4,"kernel":3,"padding":1}}, {"batch_norm2d":{"features":4}}, "relu",
        {"max_pool2d":{"kernel":2,"stride":2}}, {"dropout":0.2}, {"conv2d":{"in":4,"out":4,"kernel":3,"stride":2}}, "relu",
        {"adaptive_avg_pool2d":[1,1]}, "flatten", {"linear":{"in":4,"out":2}}]"#;
    for (name, optimizer) in [
        ("sgd", Optimizer::from(Sgd::rate(0.05).momentum(0.9))),
        ("adam", Optimizer::Adam(0.01)),
    ] {
        let network = json::init(layers, 3, &cpu()).unwrap();
        let plan = TrainingPlan::new(optimizer, 2, 64);
        let fitted = lab.fit(&Training::new(network, plan, 1)).unwrap();
        writeln!(digests, "{name} {}", &fitted.model.fingerprint()[..16]).unwrap();
        let losses = fitted.history.iter().map(|epoch| epoch.loss);
        writeln!(digests, "{name}, losses {}", digest(losses)).unwrap();
    }
    same(&format!("fit_code_{FIT_CODE}"), &digests);
}

#[test]
fn methods_and_metrics() {
    let fixture = Fixture::read("captum/overlapping_pools.safetensors");
    let (network, images) = (fixture.network_on(&cpu()), fixture.images());
    let (_, _, height, width) = images.pixels.dim();
    let truth = Array2::from_shape_fn((height, width), |(y, x)| y < height / 2 && x > 0);
    let mut digests = String::new();
    let mut heat = Vec::new();
    for method in all::<Network>() {
        let settings = Settings {
            seed: 7,
            segments: Segments::grid(2, 2),
        };
        let method = named::<Network>(method.name, settings).unwrap();
        let name = method.name();
        let maps = Panel::new()
            .with(method)
            .explain(&network, &images, 0)
            .unwrap();
        let values = maps[0].values.iter().map(|&value| f64::from(value));
        writeln!(digests, "{name} {}", digest(values)).unwrap();
        heat.extend(maps[0].values.outer_iter().map(|map| combine(map).unwrap()));
    }
    for known in METRICS {
        let metric = metric(known.name).unwrap();
        let score = |map: &Array2<f32>| metric.score(map.view(), truth.view()).unwrap();
        let scores = heat.iter().map(|map| score(map).unwrap_or(f64::NAN));
        writeln!(digests, "{} {}", known.name, digest(scores)).unwrap();
    }
    same(&format!("test_code_{TEST_CODE}"), &digests);
}

/// Again on one thread and with the functions of older processors, each in a process of its own.
#[test]
fn digests_are_those_of_every_processor() {
    for test in ["data_networks_and_training", "methods_and_metrics"] {
        tests::passes_on_other_processors(&["--exact", &format!("versions::{test}")]);
    }
}
