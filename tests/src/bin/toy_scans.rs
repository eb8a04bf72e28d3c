//! The smallest experiment on a folder of scans, for the tests of `--data`: it opens and reads the scans as the lesions
//! benchmark does, but its images are single pixels and its model is one number.

use std::fs;
use std::path::Path;

use tests::Points;
use xai_core::device::Device;
use xai_core::lesions::{LesionArgs, Lesions};
use xai_core::prelude::*;

/// The scans of the lesions benchmark, without images from them.
#[derive(Clone)]
struct Scans(Lesions);

impl Benchmark for Scans {
    const NAME: &'static str = "scans";
    type Args = LesionArgs;

    fn open(args: &LesionArgs, scale: Scale) -> Result<Self> {
        Lesions::open(args, scale).map(Self)
    }

    fn identity(&self) -> serde_json::Value {
        self.0.identity()
    }

    fn classes(&self) -> Vec<String> {
        self.0.classes()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        Points::<4, 2>.split(which, context)
    }

    fn prepare(&self, context: &Context) -> Result<()> {
        self.0.prepare(context)
    }

    fn about(&self) -> Vec<(String, String)> {
        self.0.about()
    }
}

/// A toy on scans.
#[experiment(select(max = |v| v.accuracy))]
struct ToyScans {
    #[axis([0, 1])]
    #[expect(dead_code, reason = "it only makes cells")]
    side: u64,
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
        text.parse()
            .map(Number)
            .map_err(|error| Error::file(path, error))
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(vec![vec![self.0, 1.0 - self.0]; images.len()])
    }
}

impl Run for ToyScans {
    type Benchmark = Scans;
    type Model = Number;

    fn fit(&self, _: &Lab<Scans>) -> Result<Fitted<Number>> {
        let validation = Validation {
            accuracy: self.rate,
            loss: 0.0,
            ..Validation::default()
        };
        Ok(Fitted {
            model: Number(self.rate),
            validation,
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Number>, lab: &Lab<Scans>) -> Result<Scores> {
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
    xai_core::run::<ToyScans>()
}
