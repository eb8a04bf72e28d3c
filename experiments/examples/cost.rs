//! Estimates the cost of the whole Figure 4 at the published sizes on this machine. It times a few
//! images through every step of the sweep, at 224 x 224 pixels with the full VGG-16, and
//! extrapolates.
//!
//!     cargo run --release --example cost
//!     cargo run --release --features cuda --example cost -- --device cuda --batch 32 --images 64 --repeat 3

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use experiments::exit_code;
use serde_json::json;
use xai_core::attribution::Images;
use xai_core::device::DeviceChoice;
use xai_core::lesions::imaging::Cohort;
use xai_core::lesions::making::Protocol;
use xai_core::lesions::prelude::*;
use xai_core::training::fit;

/// Times a part of Figure 4 and estimates the whole.
#[derive(Parser)]
struct Options {
    /// `flex` (CPU), `cuda`, `cuda:1`, `cuda-f32` (`cuda` with 32-bit products), `vulkan` or `metal`.
    #[arg(long, default_value = "flex")]
    device: DeviceChoice,
    /// The scale whose sizes are used; `paper` has the published ones.
    #[arg(long, value_enum, default_value = "paper")]
    scale: Scale,
    /// Images per training step.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Training steps that are timed in one go. What happens once per pass then counts as it does in a sweep.
    #[arg(long, default_value_t = 1)]
    steps: usize,
    /// Images that are explained.
    #[arg(long, default_value_t = 2)]
    images: usize,
    /// How often each part is timed; the shortest time counts.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Seeds per cell of the figure.
    #[arg(long, default_value_t = 3)]
    seeds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    exit_code(measure(&Options::parse()))
}

/// A part of the sweep: the seconds per image, and the number of images in the whole figure.
struct Part {
    what: String,
    seconds: f64,
    images: f64,
}

fn measure(options: &Options) -> Result<()> {
    let device = options.device.open()?;
    let settings = Settings::at(options.scale);
    // Each part runs once before it is timed, because a GPU compiles and selects its kernels then.
    let least = |mut work: Box<dyn FnMut() -> Result<()> + '_>| -> Result<f64> {
        if !matches!(options.device, DeviceChoice::Flex) {
            work()?;
        }
        let mut least = f64::INFINITY;
        for _ in 0..options.repeat.max(1) {
            let start = Instant::now();
            work()?;
            least = least.min(start.elapsed().as_secs_f64());
        }
        Ok(least)
    };

    let trained = options.batch * options.steps.max(1);
    let count = options.images.max(trained);
    let (cohort, size) = (Cohort::new(0), settings.image_size);
    Protocol::corrected().samples(&cohort, 0..1, 1, size, 0)?; // finds the lesions, once
    let start = Instant::now();
    let subjects = count.div_ceil(settings.slices) as u64;
    let samples = Protocol::corrected().samples(&cohort, 0..subjects, settings.slices, size, 0)?;
    let making = start.elapsed().as_secs_f64() / samples.len() as f64;
    let part = |count: usize| samples.subset(&(0..count).collect::<Vec<_>>());
    let network = settings.network.init(false, 0, &device);

    let batch = part(options.batch);
    let batch = Examples::of(&Dataset::grey(batch.images, batch.class)?, &device);
    let forward = least(Box::new(|| {
        batch.logits(&network, "cost");
        Ok(())
    }))? / options.batch as f64;

    // Training steps. The frozen layers are computed before the clock starts, because a sweep
    // computes them once per training.
    let plan = TrainingPlan {
        epochs: 1,
        batch: options.batch,
        ..paper_plan(Sgd::rate(1e-4).momentum(0.5))
    };
    let examples = part(trained);
    let examples = Examples::of(&Dataset::grey(examples.images, examples.class)?, &device);
    let checked = part(1);
    let checked = Examples::of(&Dataset::grey(checked.images, checked.class)?, &device);
    let mut steps = Vec::new();
    for depth in Depth::LEVELS {
        let first = depth.first_layer(&network);
        let (train, one) = (
            examples.through(&network, first),
            checked.through(&network, first),
        );
        let seconds = least(Box::new(|| {
            fit(&network, first, &train, &one, &plan, 0, |_, _| Ok(())).map(drop)
        }))?;
        steps.push((depth, seconds / trained as f64));
    }

    let explained = part(options.images);
    let truth = explained.truth.mapv(|truth| truth > 0.0);
    let images = Images::grey(explained.images, explained.class).with_truth(truth);
    let panel = least(Box::new(|| {
        experiments::explain(&network, images.clone()).map(drop)
    }))? / options.images as f64;

    let slices = settings.slices as f64;
    let images_of = |subjects: u64| subjects as f64 * slices;
    let (train, validation, test) = (
        images_of(settings.training_subjects),
        images_of(settings.validation_subjects),
        images_of(settings.test_subjects),
    );
    let (corpora, seeds) = (2.0, options.seeds as f64);
    let cells = corpora * seeds; // of each degree of fine-tuning
    let winners = cells * Depth::LEVELS.len() as f64;
    let of_epochs = settings.epochs as f64;
    let (_, all) = steps.last().expect("there are degrees of fine-tuning");
    let pretraining = (settings.pretraining_images * settings.pretraining_epochs) as f64;
    let mut parts = vec![
        Part {
            what: "images of the benchmark".into(),
            seconds: making,
            images: train + validation + test,
        },
        Part {
            what: "pre-training, forward and back".into(),
            seconds: *all,
            images: corpora * pretraining,
        },
    ];
    for (depth, seconds) in &steps {
        let images = cells * of_epochs * train;
        parts.push(Part {
            what: format!("fine-tuning {}", depth.name()),
            seconds: *seconds,
            images,
        });
    }
    parts.extend([
        // An upper bound: for most networks, only the trained layers are evaluated.
        Part {
            what: "forward: validation, test set".into(),
            seconds: forward,
            images: winners * (of_epochs * validation + test),
        },
        Part {
            what: "the eight methods, scored".into(),
            seconds: panel,
            images: (winners + 1.0) * test.min(settings.explained as f64),
        },
    ]);
    show(options, &settings, &parts);
    Ok(())
}

fn show(options: &Options, settings: &Settings, parts: &[Part]) {
    let whole: f64 = parts.iter().map(|part| part.seconds * part.images).sum();
    if options.json {
        let parts = parts.iter().map(|part| {
            json!({ "part": part.what, "seconds_an_image": part.seconds, "images": part.images,
                "hours": part.seconds * part.images / 3600.0 })
        });
        let parts: Vec<_> = parts.collect();
        println!(
            "{}",
            json!({ "device": options.device.to_string(), "scale": options.scale, "batch": options.batch,
                "explained_together": options.images, "parts": parts, "hours": whole / 3600.0 })
        );
        return;
    }
    println!(
        "Figure 4 at scale {}: {} x {} pixels on {}; batches of {}, {} images explained\n",
        options.scale,
        settings.image_size,
        settings.image_size,
        options.device,
        options.batch,
        options.images
    );
    println!(
        "{:32}{:>12}{:>12}{:>12}",
        "", "s an image", "images", "hours"
    );
    for part in parts {
        let hours = part.seconds * part.images / 3600.0;
        println!(
            "{:32}{:>12.4}{:>12.0}{:>12.1}",
            part.what, part.seconds, part.images, hours
        );
    }
    println!("{:32}{:>36.1}", "the whole, at most", whole / 3600.0);
    println!(
        "\n(an upper bound: every training runs through all its epochs, and every test image is classified correctly by all networks)"
    );
}
