//! The work on one cell in each phase.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime};

use serde_json::json;

use crate::attribution::Gallery;
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::key::FIT_CODE;
use crate::metrics::{Score, is_chance, is_check};
use crate::sweep::context::{Benchmark, Context, Fitted, Lab, Model, Opened, Run, Study};
use crate::sweep::keep::{
    MAPS, MODEL, Manifest, Outside, PREDICTIONS, Predictions, Reference, Scored, Status,
    read_references, write_maps, write_references, write_scores,
};
use crate::sweep::planned::{Agreed, PlannedCell};

/// The number of images whose heat maps are kept for the user to look at.
const SHOWN: usize = 6;

/// A name that is unique among all fits, also on other machines that share the disk.
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

/// A [`Study`] whose cells can be computed.
pub(crate) trait Work: Study {
    /// Fits the model of a cell and saves it.
    fn fit(&self, cell: &mut PlannedCell, context: &Context) -> Result<()>;

    /// Predicts the test set, and saves classes and probabilities, or the numbers of a regression.
    fn predict(&self, cell: &mut PlannedCell, context: &Context) -> Result<()>;

    /// Explains, scores and saves the scores.
    fn test(&self, cell: &mut PlannedCell, context: &Context, scored: &Scored) -> Result<()>;

    /// The references, stored as a stage: names in order, the scores of each, and some heat maps. Also
    /// returns the stage's folder.
    fn references(
        &self,
        experiment: &str,
        context: &Context,
        agreed: &Agreed,
    ) -> Result<(PathBuf, Vec<Reference>)>;
}

impl<R: Run> Work for Opened<R> {
    fn fit(&self, cell: &mut PlannedCell, context: &Context) -> Result<()> {
        let start = Instant::now();
        let run = R::at(&cell.point);
        let lab = &Lab::new(context.clone(), run.benchmark(&self.benchmark)?);
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
            inputs: cell.inputs(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: lab.device_choice().to_string(),
            adapter: lab.device_choice().adapter(),
            fit: unique(),
            validation: fitted.validation,
            history: fitted.history,
            seconds,
            test_accuracy: None,
            test_errors: None,
            test_set: None,
            scored: None,
            fitted_by: lab.code(),
            predicted_by: Outside::new(),
            files: BTreeMap::new(),
        };
        let manifest = lab
            .store()
            .create(manifest, &|path| fitted.model.save(path))?;
        cell.keep(manifest);
        Ok(())
    }

    fn predict(&self, cell: &mut PlannedCell, context: &Context) -> Result<()> {
        let start = Instant::now();
        let benchmark = R::at(&cell.point).benchmark(&self.benchmark)?;
        let lab = Lab::new(context.clone(), benchmark);
        let manifest = manifest(cell)?;
        let model = R::Model::load(&lab.store().model(manifest)?, lab.device())?;
        let images = lab.examples(Split::Test)?;
        let class = images.class().to_vec();
        let predictions = Predictions::new(class, images.response(), &model.predict(&images)?)?;
        manifest.test_set = Some(images.key().clone());
        manifest.test_errors = predictions.errors();
        manifest.test_accuracy = match manifest.test_errors {
            Some(_) => None,
            None => Some(predictions.accuracy()),
        };
        manifest.predicted_by = lab.code();
        let seconds = start.elapsed().as_secs_f64();
        manifest.seconds.insert("predict".to_owned(), seconds);
        lab.store()
            .add(manifest, PREDICTIONS, &|path| predictions.write(path))
    }

    fn test(&self, cell: &mut PlannedCell, context: &Context, scored: &Scored) -> Result<()> {
        let start = Instant::now();
        let run = R::at(&cell.point);
        let gallery = Gallery::new(SHOWN);
        let lab = Lab::new(
            context.with_gallery(&gallery),
            run.benchmark(&self.benchmark)?,
        );
        let manifest = manifest(cell)?;
        let fitted = Fitted {
            model: R::Model::load(&lab.store().model(manifest)?, lab.device())?,
            validation: manifest.validation,
            history: manifest.history.clone(),
        };
        let scores = run.test(&fitted, &lab)?;
        check_single(&scores, "`test`")?;
        let scored = Scored {
            asked: Some(lab.asked()),
            by: lab.code(),
            ..scored.clone()
        };
        let seconds = start.elapsed().as_secs_f64();
        manifest.seconds.insert("test".to_owned(), seconds);
        let shown = gallery.take();
        lab.store().add_test(
            manifest,
            scored,
            &|path| write_maps(path, &shown),
            &|path| write_scores(path, &scores),
        )
    }

    fn references(
        &self,
        experiment: &str,
        context: &Context,
        agreed: &Agreed,
    ) -> Result<(PathBuf, Vec<Reference>)> {
        let lab = Lab::new(context.clone(), self.benchmark.clone());
        let context = lab.for_cell(experiment, &"baselines", None)?;
        let inputs = json!({
            "experiment": experiment,
            "scale": lab.scale(),
            "benchmark": [json!(R::Benchmark::NAME), lab.benchmark().identity()],
            "device": lab.device_choice().kind(),
            "images": agreed.consensus.key()?,
            "scored": agreed.scored,
            "code": [FIT_CODE, R::FIT_VERSION],
        });
        let folder = context.stage("references", &inputs, |folder| {
            let gallery = Gallery::new(SHOWN);
            let lab = Lab::new(context.with_gallery(&gallery), lab.benchmark().clone());
            let references = R::references(&lab)?;
            for Reference { name, scores } in &references {
                check_single(scores, &format!("the reference `{name}`"))?;
            }
            write_references(folder, &references)?;
            write_maps(&folder.join(MAPS), &gallery.take())
        })?;
        let references = read_references(&folder)?;
        Ok((folder, references))
    }
}

/// Computes the stages that the model shares with others. A fit that does not say where they end is
/// completed.
pub(super) fn stages(study: &dyn Work, cell: &mut PlannedCell, context: &Context) -> Result<()> {
    match study.fit(cell, &context.with_stages_only()) {
        Err(Error::StagesReady) => Ok(()),
        done => done,
    }
}

/// Returns an error if an image has two scores by the same method and metric. Tables would show the mean of both, although
/// they are of different methods. Two calls of `explain!` may both give the chance levels and checks of an image; these must
/// be equal.
fn check_single(scores: &[Score], by: &str) -> Result<()> {
    let mut known = HashMap::new();
    for score in scores {
        let Score {
            image,
            method,
            metric,
            value,
            ..
        } = score;
        let Some(before) = known.insert((image, method, metric), *value) else {
            continue;
        };
        let repeats = is_chance(metric) || is_check(score);
        if !(repeats && before.total_cmp(value).is_eq()) {
            return Err(Error::invalid(format!(
                "{by} returns two values of the {metric} of `{method}` on image {image}: {before} and {value}; give the \
                 scores of one of them another name, as in \
                 `for score in &mut more {{ score.method = \"{method}_b\".into(); }}`"
            )));
        }
    }
    Ok(())
}

/// The manifest, which exists in every phase after the first.
fn manifest(cell: &mut PlannedCell) -> Result<&mut Manifest> {
    let inputs = cell.inputs();
    let manifest = cell.manifest.as_mut().ok_or_else(|| {
        Error::invalid("its model was deleted after it was fitted; run the same command again")
    })?;
    manifest.inputs = inputs;
    Ok(manifest)
}

/// Whether a cell has a model.
pub(super) fn is_fitted(cell: &PlannedCell) -> bool {
    cell.has(MODEL)
}
