//! References on the same images as the winners: their names in order, and their scores.

use std::path::Path;

use super::tables::{read_scores, write_scores};
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::metrics::Scores;

/// A result that does not depend on any parameter, such as an edge filter or an untrained network.
///
/// In a figure with one panel per method, a reference appears in the panel of each method that its
/// scores name. If its scores name no panel's method, it appears in all panels, once with each of its
/// methods. This is the case for filters, which are their own methods.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The name in the legend, e.g. `Sobel filter`.
    pub name: String,
    /// Its scores on the same images.
    pub scores: Scores,
}

impl Reference {
    /// A reference with this name.
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

/// Reads files written by [`write_references`].
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
