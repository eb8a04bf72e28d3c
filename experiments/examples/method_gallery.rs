//! One heat map per method, of the same image and the same network: the picture in the book's page on methods.
//!
//!     cargo run --release --example method_gallery -- --out runs/method_gallery
//!
//! The network is the one of `fig4_best` that is pre-trained on MR images and fine-tuned in all layers.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use experiments::{exit_code, fine_tune};
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use xai_core::attribution::{
    DeepLiftShap, ExpectedGradients, FeaturePermutation, Images, Panel, PatternAttribution,
    PatternNet, Patterns, Segments, methods,
};
use xai_core::device::DeviceChoice;
use xai_core::lesions::prelude::*;
use xai_core::report::{Picture, Plate, Row, method_title, write_plate};

/// Maps per row.
const COLUMNS: usize = 5;
/// The side of a map in the picture, in pixels of the plate.
const SIDE: usize = 192;

/// One heat map per method, of the same image and the same network.
#[derive(Parser)]
struct Options {
    /// The size of network and images.
    #[arg(long, value_enum, default_value = "desk")]
    scale: Scale,
    /// Folder for figure.svg and figure.png. The training is kept beside it, in `.stages`.
    #[arg(long, default_value = "runs/method_gallery")]
    out: PathBuf,
}

fn main() -> ExitCode {
    exit_code(draw(&Options::parse()))
}

fn draw(options: &Options) -> Result<()> {
    let stages = options.out.parent().unwrap_or(&options.out);
    let lab = Lab::open(options.scale, DeviceChoice::Flex, stages)?;
    let rate = experiments::best_rates(options.scale, Corpus::Mri, Depth::All)[0];
    let network = fine_tune(&lab, Corpus::Mri, Depth::All, rate, 0)?.model;
    let right = lab.test().classified_correctly_by(&network)?;
    let (image, truth) = largest(&right)?;
    println!("image {}", image.index[0]);

    // Of the methods that `named` knows, all. The others need images of their own.
    let parts = methods::Settings {
        segments: Segments::grid(16, 16),
        ..Default::default()
    };
    let mut panel = Panel::new();
    for method in methods::all::<Network>() {
        panel = panel.with(methods::named(method.name, parts.clone())?);
    }
    let train = lab.train()?;
    let some = train
        .images()
        .select(Axis(0), &Vec::from_iter(0..train.len().min(64)));
    // As the network sees them: grey in three channels.
    let channels = network.input_channels().unwrap_or(1);
    let seen = concatenate(Axis(1), &vec![some.view(); channels]).map_err(Error::invalid)?;
    let patterns = Arc::new(Patterns::fit(&network, some.view())?);
    let panel = panel
        .with(DeepLiftShap { baselines: seen })
        .with(FeaturePermutation::new(some.clone(), 2))
        .with(ExpectedGradients::from(some))
        .with(PatternNet::new(patterns.clone()))
        .with(PatternAttribution::new(patterns));

    let grey = image.pixels.index_axis(Axis(0), 0).mean_axis(Axis(0));
    let grey = grey.ok_or_else(|| Error::invalid("an image without channels"))?;
    let picture = |title: &str, values: &Array2<f32>| {
        let picture = Picture::new(title, enlarged(scaled(values).view()));
        picture.outlined(0, enlarged(truth.view()))
    };
    let mut pictures = vec![picture("The image", &grey)];
    for map in panel.explain(&network, &image, &image.class)? {
        let heat = Combine::default().heat(map.values.index_axis(Axis(0), 0))?;
        pictures.push(picture(&method_title(map.method), &heat));
    }
    let mut rows = Vec::new();
    while !pictures.is_empty() {
        let rest = pictures.split_off(COLUMNS.min(pictures.len()));
        rows.push(Row {
            label: String::new(),
            pictures,
        });
        pictures = rest;
    }
    let plate = Plate {
        rows,
        outlined: vec!["ground truth".to_owned()],
    };
    for path in write_plate(&plate, &options.out)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// The image with the largest ground truth, and its ground truth.
fn largest(images: &Images) -> Result<(Images, Array2<bool>)> {
    let none = || Error::invalid("no image is classified correctly; use a larger scale");
    let truth = images.truth.as_ref().ok_or_else(none)?;
    let size = |at: &usize| {
        truth
            .index_axis(Axis(0), *at)
            .iter()
            .filter(|&&set| set)
            .count()
    };
    let at = (0..images.len()).max_by_key(size).ok_or_else(none)?;
    let image = Images::new(images.pixels.select(Axis(0), &[at]), vec![images.class[at]]);
    let image = image.with_index(vec![images.index[at]]);
    Ok((image, truth.index_axis(Axis(0), at).to_owned()))
}

/// Magnitudes as shares of the largest.
fn scaled(values: &Array2<f32>) -> Array2<f32> {
    let largest = values
        .iter()
        .fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    values.mapv(|value| value.abs() / largest)
}

/// Each pixel as a square, so that titles have room over the picture.
fn enlarged<T: Copy>(values: ArrayView2<T>) -> Array2<T> {
    let factor = (SIDE / values.ncols()).max(1);
    let (height, width) = values.dim();
    Array2::from_shape_fn((height * factor, width * factor), |(y, x)| {
        values[[y / factor, x / factor]]
    })
}
