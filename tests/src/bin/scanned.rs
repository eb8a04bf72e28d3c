//! The smallest experiment on the lesions, for the tests of folders of scans: its model is one number and knows
//! every class.

use std::fs;
use std::path::Path;

use xai_core::device::Device;
use xai_core::lesions::prelude::*;

/// An experiment that trains nothing.
#[experiment(select(max = |v| v.accuracy))]
struct Scanned {
    #[axis([0, 1])]
    number: u64,
    #[tune([0.5, 0.25])]
    rate: f64,
}

struct Number(f64);

impl Model for Number {
    fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.0.to_string()).map_err(|error| Error::file(path, error))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let number = text.parse().map(Number);
        number.map_err(|error| Error::file(path, error))
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let certain = |&class: &u8| match class {
            0 => vec![1.0, 0.0],
            _ => vec![0.0, 1.0],
        };
        Ok(images.class().iter().map(certain).collect())
    }
}

impl Run for Scanned {
    type Benchmark = Lesions;
    type Model = Number;

    fn fit(&self, _: &Lab) -> Result<Fitted<Number>> {
        Ok(Fitted {
            model: Number(self.rate),
            validation: Validation {
                accuracy: self.rate,
                loss: 0.0,
            },
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Number>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        let score = |&image: &u32| Score {
            image,
            class: 0,
            method: "halves".to_owned(),
            metric: "precision".to_owned(),
            value: fitted.model.0,
        };
        Ok(images.index.iter().map(score).collect())
    }
}

fn main() -> ExitCode {
    xai_core::run::<Scanned>()
}
