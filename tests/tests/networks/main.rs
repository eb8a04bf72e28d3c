//! Networks and their weights: files written by PyTorch, ONNX exporters and Burn (`fixtures/networks/make.py`), the errors
//! if they do not fit, and residual blocks.

mod convolutions;
mod files;
mod fine_tuning;
mod other_programs;
mod residual;

use ndarray::{Array2, Array4};
use tests::{Fixture, device, download, fixture, upload};
use xai_core::network::{Network, json};

/// A file among the fixtures of networks.
fn file(name: &str) -> std::path::PathBuf {
    fixture("networks").join(name)
}

/// A network's description among the fixtures, with weights from a file there.
fn read(layers: &str, weights: &str) -> xai_core::Result<Network> {
    json::read(file(layers).to_str().unwrap(), 0, &file(weights), &device())
}

/// What other programs gave.
fn expected(name: &str) -> Array2<f32> {
    Fixture::read("networks/expected.safetensors").array(name)
}

fn input() -> Array4<f32> {
    Fixture::read("networks/expected.safetensors").array("input")
}

/// The scores of [`input`].
fn outputs(network: &Network) -> Array2<f32> {
    download(network.forward(upload(&input())))
}
