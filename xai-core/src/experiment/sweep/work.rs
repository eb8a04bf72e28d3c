//! What is done with one cell in each phase.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime};

use serde_json::json;

use super::super::data::with_data;
use super::super::lab::Lab;
use super::super::maps::write_maps;
use super::super::results::Baseline;
use super::super::run::{Fitted, Model, Run};
use super::super::scores::{Predictions, read_scores, write_scores};
use super::super::settings::FIT_CODE;
use super::super::store::{MAPS, MODEL, Manifest, PREDICTIONS, SCORES, Scored, Status, write_json};
use super::cell::Cell;
use crate::attribution::Gallery;
use crate::error::{Error, Result};

/// Images of which the heat maps are kept, for people to look at.
const SHOWN: usize = 6;

/// A name that no other fit has, on this machine or another one at the same disk (but for a miracle).
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!(
        "{}-{}-{}",
        since.map_or(0, |since| since.as_nanos()),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Fits the model and keeps it.
pub(super) fn fit<R: Run>(cell: &mut Cell, lab: &Lab) -> Result<()> {
    let start = Instant::now();
    let run = R::at(&cell.point);
    let lab = &run.lab(lab);
    let fitted = run.fit(lab)?;
    let seconds = BTreeMap::from([
        ("fit".to_owned(), start.elapsed().as_secs_f64()),
        ("stages".to_owned(), lab.seconds().in_stages),
        ("spared".to_owned(), lab.seconds().spared),
    ]);
    let manifest = Manifest {
        key: cell.key.clone(),
        status: Status::Fitted,
        cell: cell.point.to_string(),
        inputs: cell.inputs.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device: lab.device_choice().to_string(),
        fit: unique(),
        validation: fitted.validation,
        history: fitted.history,
        seconds,
        test_accuracy: None,
        scored: None,
        files: BTreeMap::new(),
    };
    cell.manifest = Some(
        lab.store()
            .create(manifest, |path| fitted.model.save(path))?,
    );
    Ok(())
}

/// The manifest in the phases after the first.
fn manifest(cell: &mut Cell) -> Result<&mut Manifest> {
    cell.manifest.as_mut().ok_or_else(|| {
        Error::invalid("its model has gone since it was fitted; run the same command again")
    })
}

/// Classifies the test set and keeps classes and probabilities.
pub(super) fn predict<R: Run>(cell: &mut Cell, lab: &Lab) -> Result<()> {
    let start = Instant::now();
    let lab = &R::at(&cell.point).lab(lab);
    let manifest = manifest(cell)?;
    let model = R::Model::load(&lab.store().model(manifest)?, lab)?;
    let predictions = Predictions::new(R::Model::classes(lab)?, &model.predict(lab)?)?;
    manifest.test_accuracy = Some(predictions.accuracy());
    let seconds = start.elapsed().as_secs_f64();
    manifest.seconds.insert("predict".to_owned(), seconds);
    lab.store()
        .add(manifest, PREDICTIONS, |path| predictions.write(path))
}

/// Explains, scores and keeps the scores.
pub(super) fn test<R: Run>(cell: &mut Cell, lab: &Lab, scored: &Scored) -> Result<()> {
    let start = Instant::now();
    let run = R::at(&cell.point);
    let lab = &run.lab(lab);
    let manifest = manifest(cell)?;
    let fitted = Fitted {
        model: R::Model::load(&lab.store().model(manifest)?, lab)?,
        validation: manifest.validation,
        history: manifest.history.clone(),
    };
    let gallery = Gallery::new(SHOWN);
    let scores = run.test(&fitted, &lab.with_gallery(&gallery))?;
    manifest.scored = Some(scored.clone());
    let seconds = start.elapsed().as_secs_f64();
    manifest.seconds.insert("test".to_owned(), seconds);
    // The scores last: they say that the cell is tested.
    let shown = gallery.take();
    lab.store()
        .add(manifest, MAPS, |path| write_maps(path, &shown))?;
    lab.store()
        .add(manifest, SCORES, |path| write_scores(path, &scores))
}

const NAMES: &str = "names.json";

fn numbered(index: usize) -> String {
    format!("{index}.parquet")
}

/// The baselines, kept as a stage: names in order, the scores of each, and some heat maps. Gives the stage's folder too.
pub(super) fn baselines<R: Run>(
    experiment: &str,
    lab: &Lab,
    scored: &Scored,
) -> Result<(PathBuf, Vec<Baseline>)> {
    let lab = lab.for_cell(experiment, &"baselines", None)?;
    let inputs = json!({
        "experiment": experiment,
        "scale": lab.scale(),
        "settings": lab.settings(),
        "device": lab.device_choice().kind(),
        "scored": scored,
        "code": [FIT_CODE, R::FIT_VERSION],
    });
    let mut inputs = with_data(inputs, lab.data());
    if let Some(weights) = lab.weights() {
        inputs["weights"] = json!(weights.fingerprint());
    }
    let folder = lab.stage("baselines", &inputs, |folder| {
        let gallery = Gallery::new(SHOWN);
        let baselines = R::baselines(&lab.with_gallery(&gallery))?;
        for (index, baseline) in baselines.iter().enumerate() {
            write_scores(&folder.join(numbered(index)), &baseline.scores)?;
        }
        let names: Vec<_> = baselines.iter().map(|baseline| &baseline.name).collect();
        write_maps(&folder.join(MAPS), &gallery.take())?;
        write_json(&folder.join(NAMES), &names)
    })?;
    let baselines = read_baselines(&folder)?;
    Ok((folder, baselines))
}

/// Reads the stage of [`baselines`].
pub(in super::super) fn read_baselines(folder: &Path) -> Result<Vec<Baseline>> {
    let path = folder.join(NAMES);
    let text = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
    let names: Vec<String> = serde_json::from_slice(&text).map_err(|error| {
        Error::file(
            &path,
            format!("damaged ({error}); delete its folder and run again"),
        )
    })?;
    let read = |(index, name)| {
        Ok(Baseline {
            name,
            scores: read_scores(&folder.join(numbered(index)))?,
        })
    };
    names.into_iter().enumerate().map(read).collect()
}

/// Whether a cell has a model.
pub(super) fn is_fitted(cell: &Cell) -> bool {
    cell.has(MODEL)
}
