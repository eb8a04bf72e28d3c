//! Measures what is saved if frozen layers are computed only once. For each degree of fine-tuning, it
//! times a training that uses the kept outputs of the frozen layers, and the computation of these
//! outputs.
//!
//! `cargo run --release --example frozen_layers -- --scale desk`
//!
//! If they are kept, they are computed once for all epochs, rates and seeds. Otherwise they are
//! computed for every batch of every epoch. The table gives seconds of one thread.

use std::time::Instant;

use clap::Parser;
use xai_core::device::DeviceChoice;
use xai_core::lesions::imaging::Cohort;
use xai_core::lesions::making::Protocol;
use xai_core::lesions::prelude::*;
use xai_core::training::fit;

/// Measures what is saved if the outputs of frozen layers are computed only once. Prints a table.
#[derive(Parser)]
struct Arguments {
    /// Size of the images and the network
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,
    /// Epochs of each training
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// Subjects for training, and as many for validation
    #[arg(long, default_value_t = 24)]
    subjects: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let settings = Settings::at(arguments.scale);
    let device = DeviceChoice::Flex.open()?;
    let network = settings.network.init(false, 0, &device);
    let images = |subjects, seed| {
        let protocol = Protocol::corrected();
        let cohort = Cohort::new(0);
        let samples = protocol.samples(
            &cohort,
            subjects,
            settings.slices,
            settings.image_size,
            seed,
        )?;
        let dataset = Dataset::grey(samples.images, samples.class)?;
        Ok::<_, Error>(Examples::of(&dataset, &device))
    };
    let n = arguments.subjects;
    let splits = [images(0..n, 0)?, images(n..2 * n, 1)?];
    let plan = TrainingPlan {
        epochs: arguments.epochs,
        batch: settings.batch,
        ..paper_plan(Sgd::rate(0.001).momentum(0.5))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.map_err(Error::invalid)?.install(|| {
        println!(
            "{} images of {} pixels, {} epochs; seconds\n",
            splits[0].len() + splits[1].len(),
            settings.image_size,
            arguments.epochs
        );
        println!("depth   kept, first training   kept, others   not kept   ratio   memory   logits differ by");
        Depth::LEVELS.iter().try_for_each(|depth| row(*depth, &network, &splits, &plan))
    })
}

/// The row of a degree of fine-tuning.
fn row(depth: Depth, network: &Network, splits: &[Examples; 2], plan: &TrainingPlan) -> Result<()> {
    let first = depth.first_layer(network);
    let frozen = || {
        splits
            .each_ref()
            .map(|examples| examples.through(network, first))
    };
    let (kept, passing) = timed(frozen);
    let (fitted, training) =
        timed(|| fit(network, first, &kept[0], &kept[1], plan, 0, |_, _| Ok(())));
    let trained = fitted?.network;
    // If the outputs are not kept, each epoch computes the frozen layers once more.
    let (_, every_epoch) = timed(|| (0..plan.epochs).for_each(|_| drop(frozen())));
    let not_kept = every_epoch + training;
    let floats: usize = kept.iter().map(Examples::len).sum::<usize>()
        * splits[0]
            .shape_after(network, first)
            .iter()
            .product::<usize>();
    let whole = splits[1].logits(&trained, "");
    let end = kept[1].logits(&trained.end(first), "");
    let differences = whole
        .iter()
        .flatten()
        .zip(end.iter().flatten())
        .map(|(a, b)| (a - b).abs());
    println!(
        "{:6} {:21.2} {training:14.2} {not_kept:10.2} {:7.2} {:5.0} MB {:18.1e}",
        depth.name(),
        passing + training,
        training / not_kept,
        (floats * size_of::<f32>()) as f64 / 1e6,
        differences.fold(0.0, f32::max),
    );
    Ok(())
}

/// The result of `f`, and the seconds it takes.
fn timed<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = f();
    (value, start.elapsed().as_secs_f64())
}
