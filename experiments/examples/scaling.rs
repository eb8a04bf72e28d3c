//! How time and memory of the eight-method panel grow with images, network and methods.
//! Prints the table of the book's chapter on speed: `cargo run --release --example scaling`.
//!
//! Each row is a process of its own, because memory is the most that a process ever took.

use std::process::{Command, ExitCode};
use std::time::Instant;

use ndarray::Array4;
use xai_core::attribution::{Images, Panel, methods};
use xai_core::device::DeviceChoice;
use xai_core::network::{Network, VggConfig};
use xai_core::{Error, Result};

/// Image size, images, divisor of the width, methods: each varies by itself.
const ROWS: [[usize; 4]; 13] = [
    [112, 2, 2, 8],
    [160, 2, 2, 8],
    [224, 2, 2, 8],
    [336, 2, 2, 8],
    [224, 1, 2, 8],
    [224, 4, 2, 8],
    [224, 8, 2, 8],
    [224, 2, 8, 8],
    [224, 2, 4, 8],
    [224, 2, 1, 8],
    [224, 2, 2, 1],
    [224, 2, 2, 2],
    [224, 2, 2, 4],
];

/// From the cheapest to the dearest, so that a row of few methods is not integrated gradients alone.
const METHODS: [&str; 8] = [
    "saliency",
    "input_x_gradient",
    "guided_backprop",
    "deconvolution",
    "lrp",
    "deep_lift",
    "gradient_shap",
    "integrated_gradients",
];

fn main() -> ExitCode {
    let arguments: Vec<usize> = std::env::args().skip(1).flat_map(|a| a.parse()).collect();
    let done = match arguments.try_into() {
        Ok(row) => measure(row),
        Err(_) => all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> Result<()> {
    println!("| Image | Images | Width | Methods | Seconds an image | Memory, MiB |");
    println!("|---|---|---|---|---|---|");
    let program = std::env::current_exe().map_err(Error::invalid)?;
    for row in ROWS {
        let arguments = row.map(|number| number.to_string());
        let status = Command::new(&program).args(arguments).status();
        if !status.map_err(Error::invalid)?.success() {
            return Err(Error::invalid(format!("row {row:?} failed")));
        }
    }
    Ok(())
}

fn measure([size, count, divisor, wanted]: [usize; 4]) -> Result<()> {
    let device = DeviceChoice::Flex.open()?;
    let config = VggConfig {
        width_divisor: divisor,
        pooled: 7,
        dropout: 0.5,
        classes: 2,
    };
    let network = config.init(false, 0, &device);
    let pixels = Array4::from_shape_fn((count, 3, size, size), |(image, _, y, x)| {
        ((y + image) * x % 17) as f32 / 17.0
    });
    let images = Images::new(pixels, vec![0; count]);
    let mut panel: Panel<Network> = Panel::new();
    for name in &METHODS[..wanted] {
        panel = panel.with(methods::named(name, 0)?);
    }
    let start = Instant::now();
    panel.explain(&network, &images, 0)?;
    let seconds = start.elapsed().as_secs_f64() / count as f64;
    println!(
        "| {size} | {count} | 1/{divisor} | {wanted} | {seconds:.2} | {} |",
        peak()?
    );
    Ok(())
}

/// The most memory that this process has had, in MiB.
fn peak() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(Error::invalid)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(kib.ok_or_else(|| Error::invalid("the system does not tell the peak of memory"))? / 1024)
}
