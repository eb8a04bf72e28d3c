//! Where a pass through VGG-16 spends its time on a device. For every layer, it shows the seconds
//! of the forward pass, the backward pass and the weight's gradient, and the arithmetic rate of
//! convolutions.
//!
//!     cargo run --release --example layer_time
//!     cargo run --release --features cuda --example layer_time -- --device cuda --batch 64

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use experiments::exit_code;
use ndarray::Array3;
use serde_json::json;
use xai_core::Result;
use xai_core::dataset::Dataset;
use xai_core::device::{DeviceChoice, Tensor};
use xai_core::network::{Layer, VggConfig, ops};
use xai_core::training::Examples;

/// Times each layer of a VGG-16 by itself.
#[derive(Parser)]
struct Options {
    /// `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32` (`cuda` with 32-bit products), `vulkan` or `metal`.
    #[arg(long, default_value = "flex")]
    device: DeviceChoice,
    /// Images per batch
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Height and width of the images
    #[arg(long, default_value_t = 224)]
    size: usize,
    /// The network has one channel for every N channels of VGG-16
    #[arg(long, default_value_t = 1)]
    width_divisor: usize,
    /// How many times each operation is timed
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Seconds per batch of a layer.
struct Row {
    name: String,
    /// Operations of one product of the layer: forward, backward or for the weight.
    operations: f64,
    forward: f64,
    back: f64,
    weight: Option<f64>,
}

fn main() -> ExitCode {
    exit_code(measure(&Options::parse()))
}

fn measure(options: &Options) -> Result<()> {
    let device = options.device.open()?;
    let config = VggConfig {
        width_divisor: options.width_divisor,
        pooled: 7,
        dropout: 0.0,
        classes: 2,
    };
    let network = config.init(false, 0, &device);
    // Waves that differ from image to image.
    let wave = |(image, y, x)| ((image * 7 + y) as f32 * 0.3).sin() * (x as f32 * 0.2).cos();
    let images = Array3::from_shape_fn([options.batch, options.size, options.size], wave);
    let images = Dataset::grey(images, vec![0; options.batch])?;
    let mut x = Examples::of(&images, &device).first(options.batch, &network);
    let mut rows = Vec::new();
    for (at, layer) in network.layers.iter().enumerate() {
        let y = layer.forward(x.clone());
        let g = y.clone() * 0.5 + 0.1;
        let time = |work: &dyn Fn() -> Tensor<4>| time(work, options.repeat);
        let shape = x.dims();
        let forward = time(&|| layer.forward(x.clone()));
        let [n, channels, h, w] = y.dims();
        let mut row = Row {
            name: format!("{at} {}", name(layer)),
            operations: 0.0,
            forward,
            back: 0.0,
            weight: None,
        };
        match layer {
            Layer::Conv2d(conv) => {
                let [_, inputs, kh, kw] = conv.weight.dims();
                row.operations = 2.0 * (n * channels * h * w * inputs * kh * kw) as f64;
                row.back = time(&|| conv.input_grad(shape, g.clone()));
                row.weight = Some(time(&|| conv.weight_grad(x.clone(), g.clone())));
            }
            Layer::Linear(linear) => {
                let [out, inputs] = linear.weight.dims();
                row.operations = 2.0 * (n * out * inputs) as f64;
                row.back = time(&|| ops::linear_input_grad(linear.weight.clone(), g.clone()));
            }
            Layer::Relu => row.back = time(&|| ops::gate(g.clone(), y.clone())),
            Layer::MaxPool2d(window) => {
                let (_, places) = ops::max_pool2d(x.clone(), window);
                row.forward = time(&|| ops::max_pool2d(x.clone(), window).0);
                row.back = time(&|| ops::max_unpool2d(shape, g.clone(), places.clone(), window));
            }
            _ => {}
        }
        rows.push(row);
        x = y;
    }
    show(options, &rows);
    Ok(())
}

fn name(layer: &Layer) -> String {
    match layer {
        Layer::Conv2d(conv) => {
            let [out, inputs, ..] = conv.weight.dims();
            format!("conv {inputs} to {out}")
        }
        Layer::Linear(linear) => {
            let [out, inputs] = linear.weight.dims();
            format!("linear {inputs} to {out}")
        }
        Layer::Relu => "relu".into(),
        Layer::MaxPool2d(_) => "max pooling".into(),
        _ => "other".into(),
    }
}

/// Seconds of `work` after a warm-up. One number of the result is read, so that the device has to
/// finish.
fn time(work: &dyn Fn() -> Tensor<4>, repeat: usize) -> f64 {
    let finish = |y: Tensor<4>| {
        let [n, c, h, w] = y.dims();
        y.slice([n - 1..n, c - 1..c, h - 1..h, w - 1..w])
            .into_data();
    };
    (0..2).for_each(|_| finish(work()));
    let start = Instant::now();
    (1..repeat).for_each(|_| drop(work()));
    finish(work());
    start.elapsed().as_secs_f64() / repeat.max(1) as f64
}

fn show(options: &Options, rows: &[Row]) {
    let rate = |row: &Row, seconds: f64| row.operations / seconds / 1e12;
    if options.json {
        let rows = rows.iter().map(|row| {
            let tflops = |seconds| (row.operations > 0.0).then(|| rate(row, seconds));
            json!({ "layer": row.name, "operations": row.operations, "forward_s": row.forward, "back_s": row.back,
                "weight_s": row.weight, "forward_TFLOPs": tflops(row.forward), "back_TFLOPs": tflops(row.back),
                "weight_TFLOPs": row.weight.and_then(tflops) })
        });
        let rows: Vec<_> = rows.collect();
        let device = options.device.to_string();
        println!(
            "{}",
            json!({ "device": device, "batch": options.batch, "size": options.size, "layers": rows })
        );
        return;
    }
    println!("{:28}{:>33}{:>33}", "", "ms a batch", "TFLOP/s");
    println!(
        "{:28}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}",
        "layer", "forward", "back", "weight", "forward", "back", "weight"
    );
    for row in rows {
        let times = [Some(row.forward), Some(row.back), row.weight];
        let milliseconds =
            times.map(|time| time.map_or(String::new(), |s| format!("{:.3}", s * 1e3)));
        let rates = times.map(|time| match (time, row.operations > 0.0) {
            (Some(seconds), true) => format!("{:.2}", rate(row, seconds)),
            _ => String::new(),
        });
        let columns = milliseconds
            .iter()
            .chain(&rates)
            .map(|text| format!("{text:>11}"));
        println!("{:28}{}", row.name, columns.collect::<String>());
    }
    let sum = |part: fn(&Row) -> f64| rows.iter().map(part).sum::<f64>() * 1e3;
    println!(
        "{:28}{:>11.3}{:>11.3}{:>11.3}",
        "all",
        sum(|r| r.forward),
        sum(|r| r.back),
        sum(|r| r.weight.unwrap_or(0.0))
    );
}
