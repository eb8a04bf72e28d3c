//! Figure 2 of the paper: how lesions come out of noise, and how they come into a slice.
//!
//!     cargo run --release --example fig2_lesion_making -- --out runs/fig2_lesion_making

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ndarray::{Array2, ArrayView2, s};
use xai_core::benchmark::{Defects, Protocol};
use xai_core::data::{Cohort, Folder, Resizer, SLICE_SHAPE, extremes};
use xai_core::lesion::{Class, Recipe, Steps, morphology, shape};
use xai_core::report::{Picture, Plate, Row, write_plate};
use xai_core::{Error, Result};

/// The side of the images that networks get.
const SIZE: usize = 224;
/// A seed whose noise holds a lesion of each class.
const NOISE_SEED: u32 = 78;

/// Figure 2 of the paper: how lesions come out of noise, and how they come into a slice.
#[derive(Parser)]
struct Options {
    /// What is done as in the public code: `none`, `all` or a list such as D1,D2.
    #[arg(long, default_value = "none")]
    defects: Defects,
    /// Seed of the lesions in the slice.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A folder of real scans in place of synthetic subjects: BIDS, HCP, or a CSV with file and sex.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to write figure.svg and figure.png; made if need be.
    #[arg(long, default_value = "runs/fig2_lesion_making")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match draw(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The slice to paint in.
fn slice(data: Option<&Path>) -> Result<Array2<f64>> {
    if let Some(data) = data {
        let folder = Folder::open(data)?;
        println!("{folder}");
        return Ok(folder.slices(1)?[0].mapv(f64::from));
    }
    let slices = Cohort::new(0).subject(0).slices(&[90.0]);
    Ok(slices[0].mapv(f64::from))
}

fn draw(options: &Options) -> Result<()> {
    let protocol = Protocol {
        defects: options.defects,
        ..Protocol::corrected()
    };
    let slice = slice(options.data.as_deref())?;
    let painted = protocol
        .painter(1, options.seed)?
        .paint(0, "0", slice.view())
        .ok_or_else(|| Error::invalid("the slice has no room for lesions"))?;
    let resizer = Resizer::new(SLICE_SHAPE, [SIZE; 2]);
    let seen = |page: &Array2<f64>| resizer.resize(page.view()).mapv(|v| v as f32);
    let truth = seen(&painted.truth);
    let image = Picture::new("Image", seen(&painted.image))
        .outlined(painted.class, truth.mapv(|v| v > 0.0));
    let in_slice = Row {
        label: "From lesions to an image".into(),
        pictures: vec![
            Picture::new("Background", seen(&slice)),
            Picture::new("Lesion mask", seen(&painted.mask)),
            image,
            Picture::new("Ground truth", truth),
        ],
    };
    let plate = Plate {
        rows: vec![from_noise(&protocol.recipe), in_slice],
    };
    for path in write_plate(&plate, &options.out)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// The steps of one noise image, of which the upper left part is shown.
fn from_noise(recipe: &Recipe) -> Row {
    let steps = Steps::of(NOISE_SEED);
    let part = s![..SIZE, ..SIZE];
    let set = |mask: &Array2<bool>| mask.slice(part).mapv(|set| f32::from(u8::from(set)));
    let grey = |values: ArrayView2<f64>| {
        let (low, high) = extremes(values);
        values.mapv(|v| ((v - low) / (high - low)) as f32)
    };
    let mut opened = Picture::new("Eroded and opened", set(&steps.opened));
    for component in morphology::components(&steps.opened) {
        let mut alone = Array2::from_elem(steps.opened.raw_dim(), false);
        for &at in &component {
            alone[at] = true;
        }
        let compactness = shape::compactness(component.len(), shape::perimeter(alone.view()));
        let class: Option<Class> = recipe.class(compactness);
        if let Some(class) = class.filter(|_| component.len() == recipe.area) {
            opened = opened.outlined(class, alone.slice(part).to_owned());
        }
    }
    Row {
        label: "From noise to lesions".into(),
        pictures: vec![
            Picture::new("Noise", grey(steps.noise.slice(part))),
            Picture::new("Blurred", grey(steps.blurred.slice(part))),
            Picture::new("Above Otsu's threshold", set(&steps.bright)),
            opened,
        ],
    }
}
