//! One property of each image, and where it was read.

use std::fmt::Display;
use std::path::PathBuf;

use crate::error::Error;

/// A text for each image of a split: its class or its group.
pub(super) struct Column {
    /// The name of the property, for messages.
    pub what: &'static str,
    /// The file that holds the texts.
    pub file: PathBuf,
    /// One per image.
    pub texts: Vec<String>,
    /// In a table, the line of each image.
    pub lines: Option<Vec<u64>>,
}

impl Column {
    /// The position of an image's text within the file.
    pub fn place(&self, image: usize) -> String {
        match &self.lines {
            Some(lines) => format!("line {}", lines[image]),
            None => format!("row {image} (counted from 0)"),
        }
    }

    /// An error about an image's text.
    pub fn error(&self, image: usize, problem: impl Display) -> Error {
        let (what, text, place) = (self.what, &self.texts[image], self.place(image));
        Error::file(&self.file, format!("{place}: {what} {text} {problem}"))
    }
}
