//! Figure 1 of the paper: slices with lesions, and the same with the lesions outlined.
//!
//!     cargo run --release --example fig1_dataset -- --out runs/fig1_dataset

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ndarray::Array2;
use xai_core::benchmark::{Defects, Protocol};
use xai_core::data::{Cohort, Folder, Resizer, SLICE_SHAPE};
use xai_core::lesion::Class;
use xai_core::report::{Picture, Plate, Row, write_plate};
use xai_core::{Error, Result};

/// Images of each class.
const EACH: usize = 2;
/// The side of the images that networks get.
const SIZE: usize = 224;

/// Figure 1 of the paper: slices with lesions, and the same with the lesions outlined.
#[derive(Parser)]
struct Options {
    /// What is done as in the public code: `none`, `all` or a list such as D1,D2.
    #[arg(long, default_value = "none")]
    defects: Defects,
    /// Seed of the lesions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A folder of real scans in place of synthetic subjects: BIDS, HCP, or a CSV with file and sex.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to write figure.svg and figure.png; made if need be.
    #[arg(long, default_value = "runs/fig1_dataset")]
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

/// The slices to paint in, each of another subject.
fn slices(count: usize, data: Option<&Path>) -> Result<Vec<Array2<f64>>> {
    if let Some(data) = data {
        let folder = Folder::open(data)?;
        println!("{folder}");
        let slices = folder.slices(count)?;
        return Ok(slices.iter().map(|slice| slice.mapv(f64::from)).collect());
    }
    let cohort = Cohort::new(0);
    let slice = |i: usize| {
        let height_mm = 70.0 + 45.0 * i as f32 / count as f32;
        let slices = cohort.subject(i as u64).slices(&[height_mm]);
        slices[0].mapv(f64::from)
    };
    Ok((0..count).map(slice).collect())
}

fn draw(options: &Options) -> Result<()> {
    let protocol = Protocol {
        defects: options.defects,
        ..Protocol::corrected()
    };
    // Some more than are shown, because chance decides which class a slice gets.
    let slices = slices(8 * EACH, options.data.as_deref())?;
    let painter = protocol.painter(slices.len(), options.seed)?;
    let resizer = Resizer::new(SLICE_SHAPE, [SIZE; 2]);
    let mut rows = ["Image", "Image and truth"].map(|label| Row {
        label: label.into(),
        pictures: Vec::new(),
    });
    for (wanted, title) in [(Class::Regular, "Regular"), (Class::Irregular, "Irregular")] {
        let mut shown = 0;
        for (number, slice) in slices.iter().enumerate() {
            let painted = painter
                .paint(number, &number.to_string(), slice.view())
                .ok_or_else(|| Error::invalid(format!("slice {number} has no room for lesions")))?;
            if painted.class != wanted || shown == EACH {
                continue;
            }
            shown += 1;
            let [image, truth] = painted.resized(&resizer);
            let truth = truth.mapv(|v| v > 0.0);
            let picture = Picture::new("", image.clone()).outlined(wanted, truth);
            rows[0].pictures.push(Picture::new(title, image));
            rows[1].pictures.push(picture);
        }
    }
    for path in write_plate(&Plate { rows: rows.into() }, &options.out)? {
        println!("{}", path.display());
    }
    Ok(())
}
