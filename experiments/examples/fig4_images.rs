//! Writes what Figure 4 begins with, for any other program: the images of the benchmark and of both pre-trainings, the
//! first weights, and the order of the images in each epoch.
//!
//!     cargo run --release --example fig4_images -- --scale desk --out DIR
//!
//! The program writes `DIR/{train,validation,test}/{images,truth,class}.npy`,
//! `DIR/pretraining-{shapes,mri}/{train,validation}/{images,class}.npy` and `DIR/settings.json`, the numbers of the scale.
//! `images` and `truth` (0 or 1) are float32 `[n, size, size]`, and `class` is int64 `[n]`.
//!
//! `DIR/pretraining-*/start.safetensors` is the network before its pre-training, and `DIR/start.safetensors` the untrained
//! network, whose last layer takes the place of a pre-trained network's. `order.npy` beside each of them, int64
//! `[epochs, n]`, are the training images in the order in which an epoch takes them. They are those of the first seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use experiments::{exit_code, npy};
use ndarray::{Array1, Array2, Axis};
use xai_core::device::DeviceChoice;
use xai_core::lesions::prelude::*;
use xai_core::training;

/// The seed of the pre-training, and the first seed of a cell.
const SEED: u64 = 0;

/// Writes the images of Figure 4, its first weights and the order of its images, for any other program.
#[derive(Parser)]
struct Options {
    /// Size of the images and of the networks.
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,
    /// Folder for the files; created if necessary.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    exit_code(write(&Options::parse()))
}

fn write(options: &Options) -> Result<()> {
    let out = &options.out;
    fs::create_dir_all(out).map_err(|problem| Error::file(out, problem))?;
    // What is made on the way is not kept.
    let stages = out.join("stages");
    let lab = Lab::open(options.scale, DeviceChoice::Flex, &stages)?;
    let splits = [
        (Split::Train, lab.train()?),
        (Split::Validation, lab.validation()?),
        (Split::Test, lab.test().dataset()?),
    ];
    let settings = lab.settings();
    write_order(out, splits[0].1.len(), settings.epochs)?;
    lab.untrained(SEED).save(&out.join(START))?;
    for (split, images) in splits {
        write_images(&out.join(split.to_string()), &images)?;
    }
    for corpus in [Corpus::Shapes, Corpus::Mri] {
        let folder = out.join(format!("pretraining-{}", corpus.name()));
        let [train, validation] = lab.pretraining_images(corpus)?;
        write_images(&folder.join("train"), &train)?;
        write_images(&folder.join("validation"), &validation)?;
        write_order(&folder, train.len(), settings.pretraining_epochs)?;
        let last = train.class().iter().max();
        let classes = last.map_or(0, |&last| usize::from(last) + 1);
        let network = lab.before_pretraining(classes);
        network.save(&folder.join(START))?;
    }
    let path = out.join("settings.json");
    let settings = serde_json::to_string_pretty(settings).map_err(Error::invalid)?;
    fs::write(&path, settings).map_err(|problem| Error::file(&path, problem))?;
    fs::remove_dir_all(&stages).map_err(|problem| Error::file(&stages, problem))
}

/// The file with the first weights.
const START: &str = "start.safetensors";

/// Writes the order of `count` images in each epoch.
fn write_order(folder: &Path, count: usize, epochs: usize) -> Result<()> {
    let epochs: Vec<Vec<usize>> = (0..epochs)
        .map(|epoch| training::order(count, SEED, epoch))
        .collect();
    let order = Array2::from_shape_fn((epochs.len(), count), |(epoch, at)| {
        epochs[epoch][at] as i64
    });
    npy::write(&folder.join("order.npy"), &order)
}

fn write_images(folder: &Path, images: &Dataset) -> Result<()> {
    fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    let pixels = images.images().index_axis(Axis(1), 0);
    npy::write(&folder.join("images.npy"), &pixels)?;
    if let Some(truth) = images.truth() {
        let truth = truth.mapv(|inside| f32::from(u8::from(inside)));
        npy::write(&folder.join("truth.npy"), &truth)?;
    }
    let class = images.class().iter().map(|&class| i64::from(class));
    npy::write(&folder.join("class.npy"), &Array1::from_iter(class))?;
    println!("{}", folder.display());
    Ok(())
}
