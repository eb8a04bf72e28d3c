//! Results of a finished sweep in memory. Tables and figures are made from them.
//!
//! For analysis in Rust, [`results`] returns the cells with their parameters as the experiment's
//! own struct.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::attribution::Shown;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::metrics::Scores;
use crate::sweep::declare::{Experiment, Scale, Value};
use crate::sweep::keep::{
    MAPS, MODEL, Manifest, PLAN, PREDICTIONS, Predictions, Reference, SCORES, Store, read_maps,
    read_references, read_scores,
};
use crate::sweep::plan::{Absence, Plan, Restriction};
use crate::training::{Epoch, Errors, Validation};

/// One winner of the selection: a point of the design and its results.
#[derive(Clone, Debug)]
pub struct CellResult {
    /// The parameters in the order of their declaration: the name and the level's name
    /// (`("depth", "3conv")`).
    pub values: Vec<(String, String)>,
    /// The key of its test set. Cells have different ones if an axis chooses the benchmark. `None` in a result that
    /// was not run.
    pub test_set: Option<Key>,
    /// Accuracy on the validation set, used to select the cell. NaN for a regression.
    pub validation_accuracy: f64,
    /// Accuracy on the whole test set. NaN for a regression.
    pub test_accuracy: f64,
    /// The results of a regression. `None` for a classification.
    pub regression: Option<RegressionResult>,
    /// The scores of its explanations.
    pub scores: Scores,
    /// The file with some of its heat maps, for [`read_maps`]. `None` in a result that was not run.
    pub maps: Option<PathBuf>,
}

/// A test image: its test set, and its index there. Images of the same index in different test sets are different images.
pub(crate) type Image<'a> = (Option<&'a Key>, u32);

/// How far a regression is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegressionResult {
    /// On the validation set.
    pub validation: Validation,
    /// On the whole test set.
    pub test: Errors,
}

/// A reported factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The parameter's name.
    pub name: String,
    /// The names of its levels in order. Tables and files have them.
    pub levels: Vec<String>,
    /// The title of each level, for figures and the HTML page.
    pub titles: Vec<String>,
}

impl Axis {
    /// The axis of a parameter with these values.
    pub fn of(name: &str, levels: &[Value]) -> Self {
        Self {
            name: name.to_owned(),
            levels: levels.iter().map(Value::to_string).collect(),
            titles: levels.iter().map(Value::title).collect(),
        }
    }

    /// The name in figures and on the HTML page.
    pub fn title(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// The result of a sweep.
#[derive(Clone, Debug)]
pub struct SweepResult {
    /// The experiment's name in snake case, e.g. `fig4_best`.
    pub name: String,
    /// The reported factors (`#[axis]`) in order of declaration.
    pub axes: Vec<Axis>,
    /// The winners.
    pub cells: Vec<CellResult>,
    /// The references.
    pub references: Vec<Reference>,
    /// The file with some of their heat maps, for [`read_maps`]. `None` in a result that was not
    /// run.
    pub reference_maps: Option<PathBuf>,
    /// The names of the benchmark's classes, in the order of their numbers. A class whose name depends on the cell is
    /// `class 0`. Empty if their number depends on the cell.
    pub classes: Vec<String>,
}

impl SweepResult {
    /// The accuracy of guessing if all classes have the same number of images: one over the number of
    /// classes. 0 if the classes are unknown.
    pub fn chance_of_accuracy(&self) -> f64 {
        match self.classes.len() {
            0 => 0.0,
            classes => 1.0 / classes as f64,
        }
    }
}

/// The results of the last run of an experiment, read from disk.
#[derive(Clone, Debug)]
pub struct Results<E> {
    /// The fitted cells, in the order of the plan.
    pub cells: Vec<Cell<E>>,
    /// The cells that have not been fitted yet.
    pub unfinished: Vec<E>,
    /// Whether the run has finished. Before, it has no winners and no references.
    pub finished: bool,
    /// The references. Empty before the run has finished.
    pub references: Vec<Reference>,
    /// The scale of the run.
    pub scale: Scale,
}

impl<E> Results<E> {
    /// The selected cells, with their results on the test set. There are none before the run has
    /// [finished](Self::finished).
    pub fn winners(&self) -> impl Iterator<Item = (&Cell<E>, &Tested)> {
        let cells = self.cells.iter();
        cells.filter_map(|cell| Some((cell, cell.tested.as_ref()?)))
    }
}

/// One training.
#[derive(Clone, Debug)]
pub struct Cell<E> {
    /// The experiment's struct with the values of this cell.
    pub parameters: E,
    /// The result used to select cells.
    pub validation: Validation,
    /// The record of the training, one entry per epoch.
    pub history: Vec<Epoch>,
    /// The results on the test set. Winners only.
    pub tested: Option<Tested>,
    /// The file of the model, as written by the experiment's [`Model`](crate::sweep::context::Model).
    pub model: PathBuf,
}

/// The results of a winner on the test set.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The share of the test images that it classifies correctly. NaN for a regression, whose
    /// results are [`Predictions::errors`].
    pub accuracy: f64,
    /// Its predictions for each test image.
    pub predictions: Predictions,
    /// The scores of its explanations, one row per image, method and metric.
    pub scores: Scores,
    maps: PathBuf,
}

impl Tested {
    /// A few of the explained images, with the heat maps that were scored.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged.
    pub fn shown(&self) -> Result<Vec<Shown>> {
        read_maps(&self.maps)
    }
}

/// The results of the last run of an experiment in the folder `runs`.
///
/// ```no_run
/// # use xai_core::prelude::*;
/// # #[experiment] struct Fig4Best { #[axis([1, 2, 4])] blocks: usize }
/// for (cell, tested) in xai_core::results::<Fig4Best>()?.winners() {
///     let best = tested.scores.iter().map(|score| score.value).fold(0.0, f64::max);
///     println!("{:?}: accuracy {:.3}, best score {best:.3}", cell.parameters.blocks, tested.accuracy);
/// }
/// # Ok::<(), xai_core::Error>(())
/// ```
///
/// # Errors
/// As [`results_in`].
pub fn results<E: Experiment>() -> Result<Results<E>> {
    results_in(Path::new("runs").join(E::spec().name))
}

/// The results in another folder: one with a `plan.json`, such as `/data/runs/fig4_best`, or that
/// of a restricted run, `runs/fig4_best/partial/group=a`.
///
/// # Errors
/// If there is no run, if the run has another design than `E` has now, or if a file is damaged or of
/// another cell.
pub fn results_in<E: Experiment>(folder: impl AsRef<Path>) -> Result<Results<E>> {
    let folder = folder.as_ref();
    let path = folder.join(PLAN);
    let text = std::fs::read(&path).map_err(|error| {
        Error::file(
            &path,
            format!("{error}; run the experiment first, or give the folder of its run"),
        )
    })?;
    let kept: PlanFile = serde_json::from_slice(&text).map_err(|error| {
        Error::file(
            &path,
            format!("is damaged or of another version ({error}); run the experiment again"),
        )
    })?;
    // The design is laid out again to restore the types, which JSON does not have.
    let spec = E::spec();
    let (by, part) = kept
        .restricted
        .map_or_else(Default::default, |part| (part.by, Some(part.label)));
    let absent = |name: &str, value: &Value| {
        let value = value.to_string();
        let mut absent = kept.absent.iter();
        let absence = absent.find(|absence| absence.parameter == name && absence.value == value);
        absence.map(|absence| absence.reason.clone())
    };
    let plan = Plan::restricted(&spec, kept.scale, &absent, &by)?;
    let known = kept.cells.iter().map(|cell| &cell.cell);
    if kept.experiment != spec.name
        || !known.eq(&plan
            .cells
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>())
    {
        return Err(Error::file(
            &path,
            format!(
                "is a run of an earlier design of `{}`; run the experiment again",
                spec.name
            ),
        ));
    }
    // `<out>/<experiment>`, and `<out>/<experiment>/partial/<label>` of a restricted run.
    let root = match part {
        Some(_) => folder.join("../.."),
        None => folder.to_owned(),
    };
    let out = root.join("..");
    let mut store = Store::at(root, out.join(".stages"));
    if let Some(label) = part {
        store = store.restricted(&label);
    }
    let mut results = Results {
        cells: Vec::new(),
        unfinished: Vec::new(),
        finished: kept.finished,
        references: Vec::new(),
        scale: kept.scale,
    };
    for (point, kept) in plan.cells.iter().zip(&kept.cells) {
        let parameters = E::at(point);
        let found = if kept.winner {
            store.find_tested(&kept.key)
        } else {
            store.find(&kept.key, &|_| ())
        };
        match found {
            Some(manifest) => results
                .cells
                .push(cell(parameters, &manifest, kept.winner, &store)?),
            None => results.unfinished.push(parameters),
        }
    }
    if let Some(stage) = kept.baselines {
        results.references = read_references(&store.finished_stage(&stage)?)?;
    }
    Ok(results)
}

fn cell<E>(parameters: E, manifest: &Manifest, winner: bool, store: &Store) -> Result<Cell<E>> {
    let tested = match (winner, &manifest.test_set) {
        (true, Some(_)) => Some(Tested {
            accuracy: manifest.test_accuracy.unwrap_or(f64::NAN),
            predictions: Predictions::read(&store.intact(manifest, PREDICTIONS)?)?,
            scores: read_scores(&store.intact(manifest, SCORES)?)?,
            maps: store.file(&manifest.key, MAPS),
        }),
        _ => None,
    };
    Ok(Cell {
        parameters,
        validation: manifest.validation,
        history: manifest.history.clone(),
        tested,
        model: store.file(&manifest.key, MODEL),
    })
}

/// The parts of `plan.json` that are read again.
#[derive(Deserialize)]
struct PlanFile {
    experiment: String,
    scale: Scale,
    restricted: Option<PlanFilePart>,
    finished: bool,
    absent: Vec<Absence>,
    cells: Vec<PlanFileCell>,
    baselines: Option<String>,
}

#[derive(Deserialize)]
struct PlanFilePart {
    label: String,
    by: Restriction,
}

#[derive(Deserialize)]
struct PlanFileCell {
    key: Key,
    cell: String,
    winner: bool,
}
