//! Times training steps. It reads lines that name a degree of fine-tuning (conv1, conv2, conv3,
//! conv4, all), makes one step of gradient descent with momentum of a VGG-16, and answers with one
//! line of JSON that has the seconds. `tests/compare_training.py` uses it to alternate with PyTorch
//! on the same machine.
//!
//! A step begins at the first trained layer. The outputs of the frozen layers before it are
//! computed once per training, as in `training::fit`.
//!
//!     echo all | cargo run --release --example training_time -- --size 112 --batch 8 --divisor 1

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use experiments::exit_code;
use ndarray::Array3;
use xai_core::dataset::Dataset;
use xai_core::device::{DeviceChoice, Tensor};
use xai_core::lesions::Depth;
use xai_core::network::{Network, VggConfig};
use xai_core::training::{Examples, OptimizerState, Sgd, backward};
use xai_core::{Error, Result, random};

/// Times training steps of a VGG-16, one for each line of the standard input.
#[derive(Parser)]
struct Options {
    /// Rows and columns of the images.
    #[arg(long, default_value_t = 112)]
    size: usize,
    /// Images per step.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Channels and features are divided by this.
    #[arg(long, default_value_t = 1)]
    divisor: usize,
    /// Rows and columns after the average pooling.
    #[arg(long, default_value_t = 7)]
    pooled: usize,
    /// A batch normalisation follows each layer but the last, as in `fig4_best`.
    #[arg(long)]
    norm: bool,
}

fn main() -> ExitCode {
    exit_code(answer(&Options::parse()))
}

fn answer(options: &Options) -> Result<()> {
    let device = DeviceChoice::Flex.open()?;
    let config = VggConfig {
        width_divisor: options.divisor,
        pooled: options.pooled,
        dropout: 0.5,
        classes: 2,
    };
    let network = config.init(options.norm, 0, &device);
    let shape = [options.batch, options.size, options.size];
    let pixels = Array3::from_shape_fn(shape, |(image, y, x)| ((y + image) * x % 17) as f32 / 17.0);
    let class: Vec<u8> = (0..options.batch).map(|image| (image % 2) as u8).collect();
    let images = Examples::of(&Dataset::grey(pixels, class.clone())?, &device);
    let mut rng = random::stream(0, "training_time");
    let optimizer = Sgd::rate(1e-3).momentum(0.5).into();
    let mut training: Option<(Depth, Network, OptimizerState, Tensor<4>)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(Error::invalid)?;
        let depth = degree(line.trim())?;
        let (_, end, state, x) = match training.take() {
            Some(known @ (of, ..)) if of == depth => training.insert(known),
            _ => {
                let first = depth.first_layer(&network);
                let x = images
                    .through(&network, first)
                    .first(options.batch, &network);
                let end = network.end(first);
                training.insert((depth, end, OptimizerState::default(), x))
            }
        };
        let start = Instant::now();
        let step = backward::step(end, x.clone(), &class, &mut rng);
        state.update(end, step.gradients, 1e-3, &optimizer);
        let seconds = start.elapsed().as_secs_f64();
        let logits = step.logits.into_data().into_vec::<f32>();
        let finite = logits.is_ok_and(|logits| logits.iter().all(|x| x.is_finite()));
        println!("{{\"seconds\": {seconds}, \"finite\": {finite}}}");
        std::io::stdout().flush().map_err(Error::invalid)?;
    }
    Ok(())
}

fn degree(name: &str) -> Result<Depth> {
    Ok(match name {
        "conv1" => Depth::Conv1,
        "conv2" => Depth::Conv2,
        "conv3" => Depth::Conv3,
        "conv4" => Depth::Conv4,
        "all" => Depth::All,
        _ => {
            return Err(Error::invalid(format!(
                "`{name}` is not a degree of fine-tuning"
            )));
        }
    })
}
