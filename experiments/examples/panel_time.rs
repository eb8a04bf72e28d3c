//! Times explanations. It reads lines of method names separated by commas, explains the images with
//! a panel of these methods, and answers with one line of JSON that has the seconds.
//! `tests/compare_captum.py` uses it to alternate with Captum on the same machine.
//!
//!     echo saliency,lrp | cargo run --release --example panel_time -- \
//!         --weights W.safetensors --input X.npy --target 0

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use experiments::exit_code;
use experiments::npy;
use ndarray::Array4;
use xai_core::attribution::{Images, Map, Memory, Panel, methods};
use xai_core::device::DeviceChoice;
use xai_core::network::{Network, json};
use xai_core::{Error, Result};

/// Times explanations of a network, one panel per line of the standard input.
#[derive(Parser)]
struct Options {
    /// A JSON list of layers, or a name such as `vgg16` (torchvision's).
    #[arg(long, default_value = "vgg16")]
    network: String,
    /// The network's weights, a safetensors file.
    #[arg(long)]
    weights: PathBuf,
    /// Classes of the network.
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// The images, .npy of float32 [n, 3, h, w].
    #[arg(long)]
    input: PathBuf,
    /// The class to explain, counted from 0.
    #[arg(long, default_value_t = 0)]
    target: usize,
    /// `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32` (`cuda` with 32-bit products), `vulkan` or `metal`.
    #[arg(long, default_value = "flex")]
    device: DeviceChoice,
    /// Memory for passes through the network, such as `2GiB`. [default: 2GiB; on a GPU, half of its memory]
    #[arg(long)]
    memory: Option<Memory>,
}

fn main() -> ExitCode {
    exit_code(answer(&Options::parse()))
}

fn answer(options: &Options) -> Result<()> {
    let device = options.device.open()?;
    let network = json::read(&options.network, options.classes, &options.weights, &device)?;
    let pixels: Array4<f32> = npy::read(&options.input, |value| value as f32)?
        .into_dimensionality()
        .map_err(|_| Error::file(&options.input, "should be [n, 3, h, w]"))?;
    let n = pixels.dim().0;
    let images = Images::new(pixels, vec![0; n]);
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(Error::invalid)?;
        let mut panel: Panel<Network> = Panel::new();
        if let Some(memory) = options.memory {
            panel = panel.memory(memory.bytes());
        }
        for name in line.trim().split(',') {
            panel = panel.with(methods::named(name, 0)?);
        }
        let start = Instant::now();
        let maps: Vec<Map> = panel.explain(&network, &images, options.target)?;
        let seconds = start.elapsed().as_secs_f64();
        let finite = maps
            .iter()
            .all(|map| map.values.iter().all(|x| x.is_finite()));
        println!("{{\"seconds\": {seconds}, \"finite\": {finite}}}");
        std::io::stdout().flush().map_err(Error::invalid)?;
    }
    Ok(())
}
