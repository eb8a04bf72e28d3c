//! The files of a run: plan, manifests and scores.

use std::fs;
use std::path::{Path, PathBuf};

use tests::Points;
use xai_core::device::Device;
use xai_core::prelude::*;
use xai_core::results_in;
use xai_core::sweep::execute::sweep;
use xai_core::sweep::keep::{SCORES, read_scores};
use xai_core::sweep::planned::SweepOptions;

use crate::fuzz;

/// An experiment of one number.
#[experiment(select(max = |v| v.accuracy))]
struct Fuzzed {
    #[axis([1, 2])]
    #[expect(dead_code, reason = "it only makes cells")]
    size: u64,
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

    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(vec![
            vec![1.0, 0.0, 0.0],
            vec![0.0, 1.0, 0.0],
            vec![0.0, 0.0, 1.0],
        ])
    }
}

impl Run for Fuzzed {
    type Benchmark = Points<3, 3>;
    type Model = Number;

    fn fit(&self, _: &Lab<Points<3, 3>>) -> Result<Fitted<Number>> {
        Ok(Fitted {
            model: Number(self.rate),
            validation: Validation {
                accuracy: self.rate,
                loss: 0.0,
                ..Validation::default()
            },
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Number>, lab: &Lab<Points<3, 3>>) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        let score = |&image: &u32| Score {
            image,
            class: image as u8,
            method: "halves".to_owned(),
            metric: "precision".to_owned(),
            value: fitted.model.0 * f64::from(image),
        };
        Ok(images.index.iter().map(score).collect())
    }
}

fn options(out: &Path, plan_only: bool) -> SweepOptions {
    SweepOptions {
        scale: Scale::Smoke,
        out: out.to_owned(),
        quiet: true,
        plan_only,
        ..SweepOptions::default()
    }
}

/// All files of this name below a folder.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, name));
        } else if path.file_name().unwrap() == name {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The folder of a run of all cells.
fn finished(out: &Path) -> PathBuf {
    let outcome = sweep::<Fuzzed>(&options(out, false), &Points).unwrap();
    assert!(outcome.result.is_some(), "{:?}", outcome.failures);
    outcome.folder
}

fn contents(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Changes the files of this name, one at a time, and reads the run.
fn run(target: &str, name: &str) {
    let out = tempfile::tempdir().unwrap();
    let finished = finished(out.path());
    let paths = files(&finished, name);
    let whole = contents(&paths);
    let folder = tempfile::tempdir().unwrap();
    fuzz(target, &whole, 100, folder.path(), |changed, _| {
        fs::copy(changed, &paths[0]).unwrap();
        let read = results_in::<Fuzzed>(&finished).is_ok();
        let planned = sweep::<Fuzzed>(&options(out.path(), true), &Points);
        fs::write(&paths[0], &whole[0]).unwrap();
        read && planned.is_ok()
    });
}

#[test]
fn plan_json() {
    run("plan_json", "plan.json");
}

#[test]
fn manifest_json() {
    run("manifest_json", "manifest.json");
}

/// A run reads only scores whose hash is in the manifest, so that changed ones are read by themselves.
#[test]
fn scores_parquet() {
    let out = tempfile::tempdir().unwrap();
    let whole = contents(&files(&finished(out.path()), SCORES));
    let folder = tempfile::tempdir().unwrap();
    fuzz(
        "scores_parquet",
        &whole,
        100,
        folder.path(),
        |changed, _| read_scores(changed).is_ok(),
    );
}
