//! Measures how long the models of XAI-TRIS take to train and to explain. `tests/compare_xai_tris.py` compares these times
//! with PyTorch, Captum and POT.
//!
//!     cargo run --release --example xai_tris_time -- --data DIR --model cnn --epochs 500 --images 50
//!
//! `DIR` is a folder written by `make_tetromino`. Two models are trained at the same time, each on one thread. Then both
//! are explained at the same time by all methods of the paper with the published settings, on the first test images. The
//! program prints one line of JSON.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use experiments::{exit_code, npy};
use ndarray::{Array3, Axis, s};
use rayon::prelude::*;
use serde_json::json;
use xai_core::device::DeviceChoice;
use xai_core::tetromino::prelude::*;
use xai_core::tetromino::{explain, network};
use xai_core::training::{Rows, TinySchedule, fit_tiny};

/// Measures how long the models of XAI-TRIS take to train and to explain.
#[derive(Parser)]
struct Options {
    /// A folder with images of 8 x 8 or 64 x 64, written by `make_tetromino`.
    #[arg(long)]
    data: PathBuf,
    /// `linear`, `mlp` or `cnn`.
    #[arg(long)]
    model: String,
    /// Passes over the training images.
    #[arg(long, default_value_t = 500)]
    epochs: usize,
    /// Test images to explain.
    #[arg(long, default_value_t = 50)]
    images: usize,
}

/// Images, truth and classes of a split.
struct Part {
    images: Array3<f32>,
    truth: Array3<bool>,
    class: Vec<u8>,
}

impl Part {
    fn read(folder: &Path) -> Result<Self> {
        let grid = |name: &str| -> Result<Array3<f32>> {
            let path = folder.join(name);
            let array = npy::read(&path, |value| value as f32)?;
            array
                .into_dimensionality()
                .map_err(|problem| Error::file(&path, problem))
        };
        Ok(Self {
            images: grid("images.npy")?,
            truth: grid("truth.npy")?.mapv(|inside| inside > 0.0),
            class: npy::read(&folder.join("class.npy"), |value| value as u8)?
                .into_iter()
                .collect(),
        })
    }

    fn rows(&self) -> Result<Rows<'_>> {
        let pixels = self
            .images
            .as_slice()
            .ok_or_else(|| Error::invalid("images in rows"))?;
        Ok(Rows {
            pixels,
            class: &self.class,
        })
    }
}

fn main() -> ExitCode {
    exit_code(measure(&Options::parse()))
}

fn measure(options: &Options) -> Result<()> {
    let architecture = Architecture::LEVELS
        .iter()
        .find(|level| level.name() == options.model);
    let architecture =
        *architecture.ok_or_else(|| Error::invalid("--model is linear, mlp or cnn"))?;
    let [train, validation, test] =
        ["train", "validation", "test"].map(|part| Part::read(&options.data.join(part)));
    let (train, validation, test) = (train?, validation?, test?);
    let side = train.images.dim().1;
    let size = Size::LEVELS.iter().find(|size| size.side() == side);
    let size = *size.ok_or_else(|| Error::file(&options.data, "images of 8 x 8 or 64 x 64"))?;
    let device = DeviceChoice::Flex.open()?;
    let defects = Protocol::Published.defects();
    let schedule = TinySchedule {
        rate: 0.0005,
        epochs: options.epochs,
        batch: 512,
        dropout_in_validation: false,
    };
    let seeds = [0, 1];

    let start = Instant::now();
    let fits = seeds.par_iter().map(|&seed| {
        let start = network(architecture, size, defects, seed, &device);
        fit_tiny(
            &start,
            [1, side, side],
            train.rows()?,
            validation.rows()?,
            &schedule,
            seed,
            |_| Ok(()),
        )
    });
    let fits: Vec<_> = fits.collect::<Result<_>>()?;
    let training = start.elapsed().as_secs_f64();

    let first = s![..options.images, .., ..];
    let images = Images::grey(
        test.images.slice(first).to_owned(),
        test.class[..options.images].to_vec(),
    );
    let images = images.with_truth(test.truth.slice(first).to_owned());
    let of_train = train.images.view().insert_axis(Axis(1));
    let start = Instant::now();
    let scores: Vec<Scores> = (fits.par_iter())
        .map(|fit| explain(&fit.network, &images, of_train.view(), defects))
        .collect::<Result<_>>()?;
    let explaining = start.elapsed().as_secs_f64();
    let precision = scores
        .iter()
        .flatten()
        .filter(|score| score.method == "saliency" && score.metric == "precision_without_zeros");
    let precision: Vec<f64> = precision.map(|score| score.value).collect();
    println!(
        "{}",
        json!({
            "training": training,
            "explaining": explaining,
            "validation": fits.iter().map(|fit| fit.history[fit.best].validation.accuracy).collect::<Vec<_>>(),
            "precision of saliency": precision.iter().sum::<f64>() / precision.len() as f64,
        })
    );
    Ok(())
}
