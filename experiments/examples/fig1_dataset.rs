//! Figure 1 of the paper: slices with lesions, and the same with the lesions outlined.
//!
//!     cargo run --release --example fig1_dataset -- --out runs/fig1_dataset

use std::process::ExitCode;

use clap::Parser;
use experiments::pictures::{Pictured, lesions_outlined, plate};
use xai_core::image::Resizer;
use xai_core::lesions::imaging::SLICE_SHAPE;
use xai_core::lesions::making::Class;
use xai_core::report::{Picture, Plate, Row};
use xai_core::{Error, Result};

/// Images of each class.
const EACH: usize = 2;
/// The side of a network's input images.
const SIZE: usize = 224;

/// Figure 1 of the paper: slices with lesions, and the same with the lesions outlined.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    pictured: Pictured,
}

fn main() -> ExitCode {
    let Options { pictured } = Options::parse();
    pictured.finish("fig1_dataset", draw(&pictured))
}

fn draw(pictured: &Pictured) -> Result<Plate> {
    let protocol = pictured.protocol();
    // More than are shown, because the class of a slice is random.
    let count = 8 * EACH;
    let heights: Vec<f32> = (0..count)
        .map(|i| 70.0 + 45.0 * i as f32 / count as f32)
        .collect();
    let slices = pictured.slices(&heights)?;
    let painter = protocol.painter(slices.len(), pictured.seed)?;
    let resizer = Resizer::new(SLICE_SHAPE, [SIZE; 2]);
    let mut rows = ["Image", "Image and truth"].map(|label| Row {
        label: label.into(),
        pictures: Vec::new(),
    });
    let mut all = Vec::new();
    for (number, slice) in slices.iter().enumerate() {
        match painter.paint(number, &number.to_string(), slice.view()) {
            Some(painted) => all.push(painted),
            None => pictured.no_room(number)?,
        }
    }
    for (wanted, title) in [(Class::Regular, "Regular"), (Class::Irregular, "Irregular")] {
        let of_class = all.iter().filter(|painted| painted.class == wanted);
        for painted in of_class.take(EACH) {
            let [image, truth] = painted.resized(&resizer);
            let truth = truth.mapv(|v| v > 0.0);
            let picture = lesions_outlined(Picture::new("", image.clone()), wanted, truth);
            rows[0].pictures.push(Picture::new(title, image));
            rows[1].pictures.push(picture);
        }
    }
    if rows[0].pictures.is_empty() {
        return Err(Error::invalid("no slice can be used"));
    }
    Ok(plate(rows.into()))
}
