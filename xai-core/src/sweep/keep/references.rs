//! References on the same images as the winners: their names in order, and the scores of each.

use std::path::Path;

use super::tables::{read_scores, write_scores};
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::metrics::Scores;

/// A reference that no parameter changes: an edge filter, an untrained network.
///
/// In a figure with one panel per method, a reference appears in the panel of each method that its
/// scores name. One whose scores name no panel's method (a filter: it is its own method) appears in all.
#[derive(Clone, Debug)]
pub struct Reference {
    /// As the legend shows it, e.g. `Sobel filter`.
    pub name: String,
    /// Its scores on the same images.
    pub scores: Scores,
}

impl Reference {
    /// A reference of this name.
    pub fn new(name: impl Into<String>, scores: Scores) -> Self {
        Self {
            name: name.into(),
            scores,
        }
    }
}

const NAMES: &str = "names.json";

fn numbered(index: usize) -> String {
    format!("{index}.parquet")
}

/// Writes references into a folder.
pub(crate) fn write_references(folder: &Path, references: &[Reference]) -> Result<()> {
    for (index, reference) in references.iter().enumerate() {
        write_scores(&folder.join(numbered(index)), &reference.scores)?;
    }
    let names: Vec<_> = references.iter().map(|reference| &reference.name).collect();
    write_json(&folder.join(NAMES), &names)
}

/// Reads what [`write_references`] wrote.
pub(crate) fn read_references(folder: &Path) -> Result<Vec<Reference>> {
    let path = folder.join(NAMES);
    let text = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
    let names: Vec<String> = serde_json::from_slice(&text).map_err(|error| {
        Error::file(
            &path,
            format!("damaged ({error}); delete its folder and run again"),
        )
    })?;
    let read = |(index, name)| {
        Ok(Reference {
            name,
            scores: read_scores(&folder.join(numbered(index)))?,
        })
    };
    names.into_iter().enumerate().map(read).collect()
}
