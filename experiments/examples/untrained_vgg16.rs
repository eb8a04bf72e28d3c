//! Measures how close the synthetic data come to the paper's before training: the size of the
//! ground truth, the brain's share of the image, and the precision of the eight methods on an
//! untrained VGG-16.
//!
//!     cargo run --release --example untrained_vgg16 -- --images 16
//!
//! The network has full width and takes 224 x 224 pixels, so each image needs some seconds. The
//! result of a method depends on the random network: `--networks 5` shows the medians of five
//! networks.

use std::process::ExitCode;

use clap::Parser;
use experiments::{exit_code, the_eight_with};
use xai_core::attribution::Images;
use xai_core::device::DeviceChoice;
use xai_core::lesions::imaging::Cohort;
use xai_core::lesions::making::Protocol;
use xai_core::lesions::prelude::*;
use xai_core::network::VggConfig;
use xai_core::statistics::{BoxSummary, mean};

/// Ground truth, brain and untrained precision at 224 x 224.
#[derive(Parser)]
struct Options {
    /// Subjects whose images are explained, one image each.
    #[arg(long, default_value_t = 16)]
    images: u64,
    /// Images on which ground truth and brain are measured; this is fast.
    #[arg(long, default_value_t = 600)]
    measured: u64,
    /// `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32` (`cuda` with 32-bit products), `vulkan` or `metal`.
    #[arg(long, default_value = "flex")]
    device: DeviceChoice,
    /// Number of random networks.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    networks: u64,
    /// Seed of the first network; the others use the following seeds.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> ExitCode {
    exit_code(compare(&Options::parse()))
}

fn compare(options: &Options) -> Result<()> {
    let device = options.device.open()?;
    let protocol = Protocol::corrected();
    let cohort = Cohort::new(0);
    let subjects = options.measured.div_ceil(12);
    let samples = protocol.samples(&cohort, 0..subjects, 12, 224, 0)?;
    let count = |array: &ndarray::Array3<f32>| -> Vec<f64> {
        let pixels = array
            .outer_iter()
            .map(|image| image.iter().filter(|&&v| v > 0.0).count());
        pixels.map(|pixels| pixels as f64).collect()
    };
    println!("{} images: mean, minimum and maximum", samples.len());
    show_mean("truth, pixels of 50,176", count(&samples.truth));
    let brain = count(&samples.images).into_iter();
    show_mean(
        "brain, share of pixels",
        brain.map(|n| n / 50_176.0).collect(),
    );

    let samples = protocol.samples(&cohort, subjects..subjects + options.images, 1, 224, 0)?;
    let truth = samples.truth.mapv(|truth| truth > 0.0);
    let images = Images::grey(samples.images, samples.class).with_truth(truth);
    let vgg = VggConfig {
        width_divisor: 1,
        pooled: 7,
        dropout: 0.5,
        classes: 2,
    };
    let seeds = options.seed..options.seed + options.networks;
    // Without biases, the gradient is the same along the whole path from black to the image,
    // whatever the number of steps.
    let scores = seeds.map(|seed| {
        the_eight_with(IntegratedGradients { steps: 2 }, 0).score(
            &vgg.init(false, seed, &device),
            &images,
            &Precision,
        )
    });
    let scores: Vec<Scores> = scores.collect::<Result<_>>()?;
    println!(
        "{} images, {} networks: median, lower and upper quartile of the precision; medians of each network",
        options.images, options.networks
    );
    let methods: Vec<&str> = scores[0]
        .chunk_by(|a, b| a.method == b.method)
        .map(|rows| rows[0].method.as_ref())
        .collect();
    for method in methods {
        let of_method = |rows: &Scores| -> Vec<f64> {
            let rows = rows.iter().filter(|row| row.method == method);
            rows.map(|row| row.value).collect()
        };
        let each: Vec<Vec<f64>> = scores.iter().map(of_method).collect();
        let medians = each.iter().filter_map(|values| BoxSummary::of(values));
        let medians: Vec<String> = medians.map(|of| format!("{:.3}", of.median)).collect();
        if let Some(all) = BoxSummary::of(&each.concat()) {
            println!(
                "  {method:24} {:8.3} {:8.3} {:8.3}   {}",
                all.median,
                all.lower_quartile,
                all.upper_quartile,
                medians.join(" ")
            );
        }
    }
    Ok(())
}

/// Prints the mean and the range.
fn show_mean(what: &str, values: Vec<f64>) {
    let mean = mean(&values).unwrap_or(f64::NAN);
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    println!("  {what:24} {mean:8.3} {low:8.3} {high:8.3}");
}
