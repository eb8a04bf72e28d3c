//! What a finished sweep holds, in memory: what tables and figures are made from.

use crate::score::Scores;

/// One winner of the selection: a point of the design and what was measured there.
#[derive(Clone, Debug)]
pub struct CellResult {
    /// The parameters in the order of their declaration: name and the level's name (`("depth", "3conv")`).
    pub values: Vec<(String, String)>,
    /// Accuracy on the validation set, by which the cell was selected.
    pub validation_accuracy: f64,
    /// Accuracy on the whole test set.
    pub test_accuracy: f64,
    /// Scores of its explanations.
    pub scores: Scores,
}

/// A reference that no parameter changes: an edge filter, an untrained network.
///
/// In a figure with a panel a method, a baseline appears in the panel of each method that its
/// scores name; one whose scores name no panel's method (a filter: it is its own method) appears in all.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// As the legend shows it, e.g. `Sobel filter`.
    pub name: String,
    /// Its scores on the same images.
    pub scores: Scores,
}

impl Baseline {
    /// A baseline of this name.
    pub fn new(name: impl Into<String>, scores: Scores) -> Self {
        Self {
            name: name.into(),
            scores,
        }
    }
}

/// The result of a sweep.
#[derive(Clone, Debug)]
pub struct SweepResult {
    /// The experiment's name in snake case, e.g. `fig4_best`.
    pub name: String,
    /// The names of the reported factors (`#[axis]`), in order of declaration, each with its levels' names in order.
    pub axes: Vec<(String, Vec<String>)>,
    /// The winners.
    pub cells: Vec<CellResult>,
    /// The references.
    pub baselines: Vec<Baseline>,
}
