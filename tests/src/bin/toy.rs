//! The smallest experiment there is, for the tests of the command line: its model is one number.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use xai_core::prelude::*;

/// A toy whose slow cells can be stopped.
#[experiment(select(max = |v| v.accuracy))]
struct ToyCommand {
    /// Milliseconds that a fit takes; 13 fails.
    #[axis(std::env::var("TOY_DELAYS").map_or(vec![0, 1], |text| text.split(',').flat_map(str::parse).collect()))]
    delay: u64,
    #[tune([0.5, 0.25])]
    rate: f64,
}

struct Number(f64);

impl Model for Number {
    fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.0.to_string()).map_err(|error| Error::file(path, error))
    }

    fn load(path: &Path, _: &Lab) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        text.parse()
            .map(Number)
            .map_err(|error| Error::file(path, error))
    }

    fn predict(&self, lab: &Lab) -> Result<Vec<u8>> {
        Self::classes(lab)
    }

    fn classes(_: &Lab) -> Result<Vec<u8>> {
        Ok(vec![0, 1, 2])
    }
}

impl Run for ToyCommand {
    type Model = Number;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Number>> {
        if self.delay == 13 {
            return Err(Error::invalid("thirteen"));
        }
        let progress = lab.progress(10, "waiting");
        for _ in 0..10 {
            sleep(Duration::from_micros(self.delay * 100));
            progress.tick()?;
        }
        let validation = Validation {
            accuracy: self.rate,
            loss: 0.0,
        };
        Ok(Fitted {
            model: Number(self.rate),
            validation,
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Number>, lab: &Lab) -> Result<Scores> {
        let score = |&image: &u32| Score {
            image,
            class: image as u8,
            method: "halves".to_owned(),
            metric: "precision".to_owned(),
            value: fitted.model.0 * f64::from(image),
        };
        Ok(lab.agreed()?.iter().map(score).collect())
    }
}

fn main() -> ExitCode {
    xai_core::run::<ToyCommand>()
}
