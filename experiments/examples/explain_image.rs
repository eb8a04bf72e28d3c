//! Explains images with a given network. Writes one array of attributions per method.
//!
//!     cargo run --release --example explain_image -- --network N.json --weights W.safetensors \
//!         --input X.npy --target 0 --methods all --out DIR
//!
//! `X.npy` is float32 or float64 `[n, c, h, w]`; `DIR/<method>.npy` is float32 of the same shape. Grey images can be given
//! to a network of several channels; each attribution is then the sum over the channels. The maps of Grad-CAM and of the
//! other class activation maps always have one channel, `[n, 1, h, w]`.
//! Instead of `X.npy`, a scan (`.nii`, `.nii.gz`) can be given. Its slices are the images, and the maps
//! are also written as `DIR/<method>.nii.gz`, which viewers show over the scan.
//! The documentation of `xai_core::network::json` describes the format of `N.json`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use experiments::scans::{CutScan, Direction, Planes, is_scan};
use experiments::{exit_code, npy};
use ndarray::{Array4, ArrayView3, Axis};
use xai_core::attribution::{Images, Memory, Panel, Segments, methods};
use xai_core::device::DeviceChoice;
use xai_core::network::{Network, json};
use xai_core::{Error, Result};

/// Explains images with a given network. Writes one array of attributions per method.
///
/// An array has the shape of the images. Two cases differ. If a network of several channels is given grey images, each
/// attribution is the sum over the channels. Class activation maps, such as `grad_cam`, always have one channel.
#[derive(Parser)]
struct Options {
    /// A JSON list of layers, or `vgg16`, `vgg16_bn`, `resnet18` (torchvision's).
    #[arg(long)]
    network: String,
    /// Number of classes, if the network is given by its name.
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// The network's weights: safetensors, PyTorch .pth, ONNX or burnpack.
    #[arg(long)]
    weights: PathBuf,
    /// Merge batch normalisations into the layers before them first, as is usual for LRP.
    #[arg(long)]
    merge_batch_norm: bool,
    /// The images, .npy of float32 or float64 [n, c, h, w]; or one scan, .nii or .nii.gz, whose slices are the images.
    #[arg(long)]
    input: PathBuf,
    /// The planes in which a scan is cut.
    #[arg(long, value_enum, default_value = "axial")]
    slices: Direction,
    /// The planes of a scan to explain, such as `80..100`, counted as viewers show them. [default: all]
    #[arg(long)]
    planes: Option<Planes>,
    /// The class to explain, counted from 0.
    #[arg(long)]
    target: usize,
    /// Names of methods, separated by commas, or `all`: the paper's eight, `deep_lift_captum` and the filters. See `--list`.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    methods: Vec<String>,
    /// `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32` (`cuda` with 32-bit products), `vulkan` or `metal`.
    #[arg(long, default_value = "flex")]
    device: DeviceChoice,
    /// Seed of the methods that draw samples.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Memory for passes through the network, such as `2GiB`; results do not depend on it.
    /// [default: 2GiB; on a GPU, half of its memory]
    #[arg(long)]
    memory: Option<Memory>,
    /// The parts of an image that perturbation methods switch on and off: a grid such as `8x8`, or `values` (each value of
    /// each channel).
    #[arg(long, default_value = "values")]
    segments: Segments,
    /// List the methods, what they need and their defaults, then exit.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Folder for `<method>.npy` (for a scan also `<method>.nii.gz`); created if necessary.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    // `--list` needs no other option, so it is handled before the required ones are checked.
    if std::env::args_os().skip(1).eq(["--list"]) {
        list();
        return ExitCode::SUCCESS;
    }
    exit_code(explain(&Options::parse()))
}

fn explain(options: &Options) -> Result<()> {
    let all = methods::all::<Network>()
        .into_iter()
        .filter(|method| method.in_all);
    let chosen: Vec<&str> = match options.methods.as_slice() {
        [name] if name == "all" => all.map(|method| method.name).collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let mut panel = Panel::new();
    if let Some(memory) = options.memory {
        panel = panel.memory(memory.bytes());
    }
    for name in &chosen {
        let settings = methods::Settings {
            seed: options.seed,
            segments: options.segments.clone(),
        };
        panel = panel.with(methods::named(name, settings)?);
    }
    for note in methods::notes(&chosen) {
        eprintln!("note: {note}");
    }
    let device = options.device.open()?;
    let mut network = json::read(&options.network, options.classes, &options.weights, &device)?;
    if options.merge_batch_norm {
        network = network.fold_batch_norm();
    }
    let (scan, input) = read(options)?;
    let (count, channels, ..) = input.dim();
    let images = Images::new(input, vec![0; count]);
    (images.check()).map_err(|problem| Error::file(&options.input, problem))?;
    fs::create_dir_all(&options.out).map_err(|problem| Error::file(&options.out, problem))?;
    // The map of an image does not depend on the other images, nor on its position in the file.
    let images = images.indexed_by_content();
    let maps = panel.explain(&network, &images, options.target)?;
    for mut map in maps {
        // Every channel of the network received the same grey value, so the effect of a pixel is the sum of theirs.
        if channels == 1 && map.values.dim().1 > 1 {
            map.values = map.values.sum_axis(Axis(1)).insert_axis(Axis(1));
        }
        let zero = |image: &ArrayView3<f32>| image.iter().all(|&value| value == 0.0);
        let zeros = map.values.outer_iter().filter(zero).count();
        if zeros > 0 {
            let method = map.method;
            eprintln!("note: {method}: the maps of {zeros} of {count} images are 0 everywhere");
        }
        let path = options.out.join(format!("{}.npy", map.method));
        npy::write(&path, &map.values)?;
        println!("{}", path.display());
        if let Some(scan) = &scan {
            let path = path.with_extension("nii.gz");
            scan.write(&path, &map.values)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

fn list() {
    let all = methods::all::<Network>();
    let width = all.iter().map(|method| method.name.len()).max();
    let width = width.unwrap_or(0) + 2;
    println!("{:<width$}{:<10}defaults and cost", "method", "needs");
    for method in all {
        let needs = format!("{:?}", method.needs).to_lowercase();
        println!("{:<width$}{needs:<10}{}", method.name, method.defaults);
    }
}

/// Reads images `[n, c, h, w]`, and the scan from which they are cut if it is one.
fn read(options: &Options) -> Result<(Option<CutScan>, Array4<f32>)> {
    let path = &options.input;
    if is_scan(path) {
        let (scan, images) = CutScan::open(path, options.slices, options.planes.as_ref())?;
        return Ok((Some(scan), images));
    }
    if options.planes.is_some() {
        let problem = "is not a scan, so `--planes` has no meaning; slice the array itself";
        return Err(Error::file(path, problem));
    }
    let images = npy::floats(path)?;
    let shape = images.shape().to_vec();
    let images = images
        .into_dimensionality()
        .map_err(|_| Error::file(path, format!("is {shape:?}; should be [n, channels, h, w]")))?;
    Ok((None, images))
}
