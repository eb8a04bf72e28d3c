//! Tables of subjects: CSV, or TSV where the file's name says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::benchmarks::lesions::imaging::Sex;
use crate::benchmarks::lesions::imaging::folder::entries;
use crate::error::{Error, Result};

/// A table with a line of column names, which are found without regard to case.
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    columns: Vec<String>,
    pub(crate) rows: Vec<StringRecord>,
}

impl Table {
    /// The only table in `folder` that has all of `columns`.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub(crate) fn find(folder: &Path, columns: &[&str]) -> Result<Self> {
        let files: Vec<PathBuf> = entries(folder)?
            .into_iter()
            .filter(|path| separator(path).is_some())
            .collect();
        let tables = files
            .iter()
            .map(|path| Self::read(path))
            .collect::<Result<Vec<_>>>()?;
        let mut fitting = tables
            .into_iter()
            .filter(|table| columns.iter().all(|name| table.column(name).is_some()));
        let wanted = columns.join(" and ");
        match (fitting.next(), fitting.next()) {
            (Some(table), None) => Ok(table),
            (Some(one), Some(other)) => Err(Error::file(
                folder,
                format!(
                    "{} and {} both have the columns {wanted}; leave one of them there",
                    one.path.display(),
                    other.path.display()
                ),
            )),
            (None, _) => {
                let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
                Err(Error::file(
                    folder,
                    format!(
                        "needs a CSV or TSV table with the columns {wanted}; among {names:?} there is none"
                    ),
                ))
            }
        }
    }

    /// Reads a table that must have all of `columns`.
    pub(crate) fn open(path: &Path, columns: &[&str]) -> Result<Self> {
        let table = Self::read(path)?;
        match columns.iter().find(|name| table.column(name).is_none()) {
            None => Ok(table),
            Some(name) => Err(Error::file(
                path,
                format!(
                    "has no column {name}, only {}; add it",
                    table.columns.join(", ")
                ),
            )),
        }
    }

    fn read(path: &Path) -> Result<Self> {
        let problem =
            |error: csv::Error| Error::file(path, format!("not a readable table: {error}"));
        // Rows may end early: whoever needs the cell says that it is missing.
        let mut reader = ReaderBuilder::new()
            .delimiter(separator(path).unwrap_or(b','))
            .trim(Trim::All)
            .flexible(true)
            .from_path(path)
            .map_err(problem)?;
        let columns = reader
            .headers()
            .map_err(problem)?
            .iter()
            .map(str::to_lowercase)
            .collect();
        let rows = reader
            .records()
            .collect::<Result<_, _>>()
            .map_err(problem)?;
        Ok(Self {
            path: path.to_owned(),
            columns,
            rows,
        })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| *column == name.to_lowercase())
    }

    /// What a row has in a column; `None` if there is nothing.
    pub(crate) fn cell<'a>(&self, row: &'a StringRecord, column: &str) -> Option<&'a str> {
        row.get(self.column(column)?)
            .filter(|cell| !cell.is_empty())
    }

    /// An error about a row.
    pub(crate) fn error(&self, row: &StringRecord, problem: impl std::fmt::Display) -> Error {
        let line = row.position().map_or(0, csv::Position::line);
        Error::file(&self.path, format!("line {line}: {problem}"))
    }

    /// The sex of each subject, by what `subject` says of a row; or what is wrong with its row.
    pub(crate) fn sexes(
        &self,
        subject: impl Fn(&StringRecord) -> Option<String>,
        sex_column: &str,
    ) -> BTreeMap<String, Result<Sex>> {
        let mut sexes = BTreeMap::new();
        for row in &self.rows {
            let Some(subject) = subject(row) else {
                continue;
            };
            let sex = match self.cell(row, sex_column).map(str::to_lowercase).as_deref() {
                Some("f" | "female") => Ok(Sex::Female),
                Some("m" | "male") => Ok(Sex::Male),
                other => Err(self.error(
                    row,
                    format!(
                        "the {sex_column} of {subject} is `{}`; it should be F, M, female or male",
                        other.unwrap_or_default()
                    ),
                )),
            };
            let twice = self.error(
                row,
                format!("{subject} is listed a second time; keep one row a subject"),
            );
            sexes
                .entry(subject)
                .and_modify(|sex| *sex = Err(twice))
                .or_insert(sex);
        }
        sexes
    }
}

/// What separates the cells of a table of this name.
fn separator(path: &Path) -> Option<u8> {
    match path.extension()?.to_str()? {
        "csv" => Some(b','),
        "tsv" => Some(b'\t'),
        _ => None,
    }
}
