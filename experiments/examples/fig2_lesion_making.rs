//! Figure 2 of the paper: how lesions are made from noise and put into a slice.
//!
//!     cargo run --release --example fig2_lesion_making -- --out runs/fig2_lesion_making

use std::process::ExitCode;

use clap::Parser;
use experiments::pictures::{Pictured, lesions_outlined, plate};
use ndarray::{Array2, ArrayView2, s};
use xai_core::image::{Resizer, extremes};
use xai_core::lesions::imaging::SLICE_SHAPE;
use xai_core::lesions::making::{Class, Recipe, Steps, compactness, morphology};
use xai_core::report::{Picture, Plate, Row};
use xai_core::{Error, Result};

/// The side of a network's input images.
const SIZE: usize = 224;
/// A seed whose noise holds a lesion of each class.
const NOISE_SEED: u32 = 78;

/// Figure 2 of the paper: how lesions are made from noise and put into a slice.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    pictured: Pictured,
}

fn main() -> ExitCode {
    let Options { pictured } = Options::parse();
    pictured.finish("fig2_lesion_making", draw(&pictured))
}

fn draw(pictured: &Pictured) -> Result<Plate> {
    let protocol = pictured.protocol();
    let painter = protocol.painter(1, pictured.seed)?;
    let paint = |slice: &Array2<f64>| painter.paint(0, "0", slice.view());
    let mut slice = pictured.slices(&[90.0])?.remove(0);
    let mut painted = paint(&slice);
    if painted.is_none() {
        pictured.no_room(0)?;
        // At other heights, and of other subjects.
        for other in pictured.slices(&[90.0; 9])? {
            painted = painted.or_else(|| paint(&other).inspect(|_| slice = other));
        }
    }
    let painted = painted.ok_or_else(|| Error::invalid("no slice has room for lesions"))?;
    let resizer = Resizer::new(SLICE_SHAPE, [SIZE; 2]);
    let seen = |page: &Array2<f64>| resizer.resize(page.view()).mapv(|v| v as f32);
    let truth = seen(&painted.truth());
    let image = Picture::new("Image", seen(&painted.image));
    let image = lesions_outlined(image, painted.class, truth.mapv(|v| v > 0.0));
    let in_slice = Row {
        label: "From lesions to an image".into(),
        pictures: vec![
            Picture::new("Background", seen(&slice)),
            Picture::new("Lesion mask", seen(&painted.mask())),
            image,
            Picture::new("Ground truth", truth),
        ],
    };
    Ok(plate(vec![from_noise(&protocol.recipe), in_slice]))
}

/// The steps of one noise image. The upper left part is shown.
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
        let compactness =
            compactness::compactness(component.len(), compactness::perimeter(alone.view()));
        let class: Option<Class> = recipe.class(compactness);
        if let Some(class) = class.filter(|_| component.len() == recipe.area) {
            opened = lesions_outlined(opened, class, alone.slice(part).to_owned());
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
