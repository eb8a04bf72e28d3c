//! A split as a table of PNG files.

use std::path::{Path, PathBuf};

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use ndarray::{Array, Axis, RemoveAxis};
use rayon::prelude::*;

use super::column::Column;
use super::picture;
use super::raw_split::{Kind, RawSplit};
use crate::error::{Error, Result};

pub(super) const LABELS: &str = "labels.csv";

/// Reads the table of a folder and the files that it names.
pub(super) fn read(folder: &Path) -> Result<RawSplit> {
    let table = Table::read(&folder.join(LABELS))?;
    let files = table.needed("file")?;
    let class = table.needed("class")?;
    let (truth, group) = (table.optional("truth")?, table.optional("group")?);
    let images = pictures(&files, folder, picture::image)?;
    let shape = images[0].shape().to_vec();
    let images = stacked(&files, images, &shape)?;
    let truth = truth.map(|truth| {
        stacked(
            &truth,
            pictures(&truth, folder, picture::mask)?,
            &shape[1..],
        )
    });
    Ok(RawSplit {
        truth: truth.transpose()?,
        file: table.path,
        kind: Kind::Scaled("PNG files"),
        images,
        class,
        group,
    })
}

/// The content of the files of a column, in order.
fn pictures<T: Send>(
    column: &Column,
    folder: &Path,
    read: impl Fn(&Path) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let read: Vec<Result<T>> = (column.texts.par_iter())
        .map(|file| read(&folder.join(file)))
        .collect();
    let named = |(image, read): (usize, Result<T>)| {
        read.map_err(|problem| column.error(image, format_args!("cannot be used: {problem}")))
    };
    read.into_iter().enumerate().map(named).collect()
}

/// Stacks pictures of this shape into one array.
fn stacked<T: Clone, D: RemoveAxis>(
    column: &Column,
    pictures: Vec<Array<T, D>>,
    shape: &[usize],
) -> Result<Array<T, D::Larger>> {
    let other = pictures.iter().position(|picture| picture.shape() != shape);
    if let Some(image) = other {
        let found = pictures[image].shape();
        let problem = format!(
            "has the shape {found:?}; the first image requires {shape:?} (height and width come last)"
        );
        return Err(column.error(image, problem));
    }
    let views: Vec<_> = pictures.iter().map(|picture| picture.view()).collect();
    ndarray::stack(Axis(0), &views).map_err(Error::invalid)
}

/// A table with a header line. Upper and lower case in column names do not matter.
struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<StringRecord>,
}

impl Table {
    fn read(path: &Path) -> Result<Self> {
        let problem = |problem| Error::file(path, format!("is not a readable table: {problem}"));
        let reader = ReaderBuilder::new().trim(Trim::All).from_path(path);
        let mut reader = reader.map_err(problem)?;
        let columns = reader.headers().map_err(problem)?;
        let columns = columns.iter().map(str::to_lowercase).collect();
        let rows = reader.records().collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(problem)?;
        if rows.is_empty() {
            return Err(Error::file(path, "lists no image"));
        }
        Ok(Self {
            path: path.to_owned(),
            columns,
            rows,
        })
    }

    /// A column in which no row is empty.
    fn needed(&self, name: &'static str) -> Result<Column> {
        self.optional(name)?.ok_or_else(|| {
            let columns = self.columns.join(", ");
            Error::file(
                &self.path,
                format!("has no column {name}, only {columns}; add it"),
            )
        })
    }

    /// An optional column. If it is present, no row is empty.
    fn optional(&self, name: &'static str) -> Result<Option<Column>> {
        let mut found = (0..self.columns.len()).filter(|&at| self.columns[at] == name);
        let Some(at) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(Error::file(
                &self.path,
                format!("has two columns {name}; keep one"),
            ));
        }
        let lines = self
            .rows
            .iter()
            .map(|row| row.position().map_or(0, Position::line));
        let column = Column {
            what: name,
            file: self.path.clone(),
            texts: self.rows.iter().map(|row| row[at].to_owned()).collect(),
            lines: Some(lines.collect()),
        };
        match column.texts.iter().position(String::is_empty) {
            Some(image) => Err(column.error(
                image,
                "is missing; give one in every line, or leave out the column",
            )),
            None => Ok(Some(column)),
        }
    }
}
