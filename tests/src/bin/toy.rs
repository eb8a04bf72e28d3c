//! The smallest experiment there is, for the tests of the command line: its model is one number.
//!
//! The environment makes it slow, large or fail: `TOY_DELAYS`, `TOY_STAGE`, `TOY_ANALYSIS`, `TOY_BYTES`, `TOY_FAILURES`;
//! `TOY_NOTES` names a file that tells what was computed; `TOY_BROKEN` breaks the second device that is used.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use tests::Points;
use xai_core::device::Device;
use xai_core::prelude::*;

/// A toy whose slow cells can be stopped.
#[experiment(select(max = |v| v.accuracy))]
struct ToyCommand {
    /// Milliseconds that a fit takes; 13 fails.
    #[axis(delays())]
    delay: u64,
    #[tune([0.5, 0.25])]
    rate: f64,
}

/// `TOY_DELAYS`: numbers such as `0,1,7`, or a range such as `0..50000`, whose end is not included.
fn delays() -> Vec<u64> {
    let text = std::env::var("TOY_DELAYS").unwrap_or("0,1".to_owned());
    if let Some((start, end)) = text.split_once("..") {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        return (number(start)..number(end)).collect();
    }
    text.split(',').flat_map(str::parse).collect()
}

/// `TOY_EVERY`: milliseconds that every cell takes, whatever its delay. All cells then share one stage.
fn every() -> Option<u64> {
    std::env::var("TOY_EVERY").ok()?.parse().ok()
}

impl ToyCommand {
    fn takes(&self) -> u64 {
        every().unwrap_or(self.delay)
    }
}

/// A number from the environment.
fn environment(name: &str) -> u64 {
    std::env::var(name).map_or(0, |text| text.parse().expect("a number"))
}

struct Number(f64);

impl Model for Number {
    /// Behind the number come `TOY_BYTES` spaces.
    fn save(&self, path: &Path) -> Result<()> {
        let spaces = " ".repeat(environment("TOY_BYTES") as usize);
        fs::write(path, format!("{}{spaces}", self.0)).map_err(|error| Error::file(path, error))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        text.trim_end()
            .parse()
            .map(Number)
            .map_err(|error| Error::file(path, error))
    }

    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(vec![
            vec![1.0, 0.0, 0.0],
            vec![0.0, 1.0, 0.0],
            vec![0.0, 0.0, 1.0],
        ])
    }
}

/// Adds a line to the file `TOY_NOTES`, by which tests count what is computed in all processes.
fn note(line: &str) -> Result<()> {
    let Ok(path) = std::env::var("TOY_NOTES") else {
        return Ok(());
    };
    let mut file = fs::File::options().append(true).create(true).open(&path);
    let written = file
        .as_mut()
        .map(|file| file.write_all(format!("{line}\n").as_bytes()));
    written.map(drop).map_err(|error| Error::file(&path, error))
}

impl Run for ToyCommand {
    type Benchmark = Points<3, 3>;
    type Model = Number;

    fn fit(&self, lab: &Lab<Points<3, 3>>) -> Result<Fitted<Number>> {
        if self.delay == 13 && every().is_none() {
            return Err(Error::invalid("thirteen"));
        }
        // One stage for every two milliseconds of delay; each leaves a line behind when it is computed.
        let shared = if every().is_some() { 0 } else { self.delay / 2 };
        lab.stage("toy", &shared, |folder| {
            sleep(Duration::from_millis(environment("TOY_STAGE")));
            let path = folder.join("stage");
            fs::write(&path, "computed").map_err(|error| Error::file(&path, error))?;
            note("stage")
        })?;
        lab.end_of_shared_stages()?;
        // What `once` makes is made once a device: here, its number in the order of first use.
        static DEVICES: AtomicU64 = AtomicU64::new(0);
        let device = lab.once("number", || {
            note("device")?;
            Ok(DEVICES.fetch_add(1, Ordering::Relaxed))
        })?;
        if *device == 1 && environment("TOY_BROKEN") == 1 {
            panic!("this device is broken");
        }
        note("fit")?;
        // A file counts the failures that are left over all processes.
        if let Ok(path) = std::env::var("TOY_FAILURES") {
            let left: u64 =
                fs::read_to_string(&path).map_or(0, |text| text.trim().parse().unwrap_or(0));
            if left > 0 {
                fs::write(&path, (left - 1).to_string())
                    .map_err(|error| Error::file(&path, error))?;
                return Err(Error::invalid("a failure that passes"));
            }
        }
        let progress = lab.progress(10, "waiting");
        for _ in 0..10 {
            sleep(Duration::from_micros(self.takes() * 100));
            progress.tick()?;
        }
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

    fn test(&self, fitted: &Fitted<Number>, lab: &Lab<Points<3, 3>>) -> Result<Scores> {
        note("test")?;
        sleep(Duration::from_millis(self.takes()));
        let score = |&image: &u32| Score {
            image,
            class: image as u8,
            method: "halves".to_owned(),
            metric: "precision".to_owned(),
            value: fitted.model.0 * f64::from(image),
        };
        Ok(lab
            .test()
            .classified_correctly_by_all()?
            .index
            .iter()
            .map(score)
            .collect())
    }

    /// Takes `TOY_ANALYSIS` milliseconds and shows nothing.
    fn analysis(_: &Results<Self>, _: &mut Analysis) -> Result<()> {
        note("analysis")?;
        sleep(Duration::from_millis(environment("TOY_ANALYSIS")));
        Ok(())
    }

    /// Of the cells with the delays 0 and 7, as if somebody had published them.
    fn published() -> Option<Published> {
        let value = |delay: &str, method: &str, metric: &str, statistic, value| PublishedValue {
            levels: vec![("delay".to_owned(), delay.to_owned())],
            method: method.to_owned(),
            metric: metric.to_owned(),
            statistic,
            value,
        };
        Some(Published {
            source: "made up".to_owned(),
            scales: vec![Scale::Desk, Scale::Paper],
            values: vec![
                value("0", "halves", "precision", Statistic::Mean, 0.375),
                value("0", "halves", "precision", Statistic::Median, 0.75),
                value("0", "", TEST_ACCURACY, Statistic::Mean, 0.75),
                value("7", "halves", "precision", Statistic::Mean, 0.1),
            ],
        })
    }
}

fn main() -> ExitCode {
    xai_core::run::<ToyCommand>()
}
