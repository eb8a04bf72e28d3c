//! Tables of subjects: CSV, or TSV if the file's name says so.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::benchmarks::lesions::imaging::Sex;
use crate::benchmarks::lesions::imaging::there::{self, entries};
use crate::error::{Error, Result};
use crate::suggest::whole_number;

/// A table with a line of column names, which are matched without regard to case.
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
        let entries = entries(folder)?;
        let files: Vec<&PathBuf> = (entries.iter())
            .filter(|path| separator(path).is_some())
            .collect();
        // There may be other tables, which need not be readable.
        let mut unreadable = Vec::new();
        let mut tables = Vec::new();
        for path in &files {
            match Self::read(path) {
                Ok(table) if table.has(columns) => {
                    table.once(columns)?;
                    tables.push(table);
                }
                Ok(table) => unreadable.extend(table.other_separator(columns)),
                Err(problem) if first_line_has(path, columns) => return Err(problem),
                Err(problem) => unreadable.push(problem),
            }
        }
        let mut fitting = tables.into_iter();
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
                let names = files.iter().filter_map(|path| path.file_name());
                let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
                let mut problem = format!("needs a CSV or TSV table with the columns {wanted}");
                if !names.is_empty() {
                    problem +=
                        &format!("; none of the tables there has them ({})", names.join(", "));
                }
                for unreadable in unreadable {
                    problem += &format!("\n  {unreadable}");
                }
                let extension = |path: &&PathBuf| {
                    let extension = path.extension().and_then(|end| end.to_str());
                    let extension = extension.map(str::to_lowercase);
                    (extension.as_deref()).is_some_and(|end| ["xlsx", "xls", "ods"].contains(&end))
                };
                for sheet in entries.iter().filter(extension) {
                    let sheet = sheet.display();
                    problem += &format!("\n  {sheet}: is a spreadsheet; save it as CSV");
                }
                Err(Error::file(folder, problem))
            }
        }
    }

    /// Reads a table that must have all of `columns`.
    pub(crate) fn open(path: &Path, columns: &[&str]) -> Result<Self> {
        let table = Self::read(path)?;
        let missing = columns.iter().find(|name| table.column(name).is_none());
        match (missing, table.other_separator(columns)) {
            (None, _) => {
                table.once(columns)?;
                Ok(table)
            }
            (_, Some(problem)) => Err(problem),
            (Some(name), None) => Err(Error::file(
                path,
                format!(
                    "has no column {name}, only {}; add it",
                    table.columns.join(", ")
                ),
            )),
        }
    }

    fn read(path: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::file(path, problem);
        let mut bytes = Vec::new();
        (there::open(path)?.read_to_end(&mut bytes)).map_err(|e| wrong(e.to_string()))?;
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(wrong("is UTF-16; save it as UTF-8".into()));
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(wrong("is a spreadsheet; save it as CSV".into()));
        }
        let text = str::from_utf8(&bytes).map_err(|problem| {
            let before = &bytes[..problem.valid_up_to()];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            wrong(format!("line {line} is not UTF-8; save the table as UTF-8"))
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let separator = separator(path).unwrap_or(b',');
        let mut records = records(text, separator).map_err(wrong)?.into_iter();
        let columns = records.next().unwrap_or_default();
        let columns = columns.iter().map(str::to_lowercase).collect();
        Ok(Self {
            path: path.to_owned(),
            columns,
            rows: records.collect(),
        })
    }

    /// An error if one of `columns` is there twice, because nobody can tell which of them is meant.
    pub(crate) fn once(&self, columns: &[&str]) -> Result<()> {
        let count = |name: &&&str| {
            let name = name.to_lowercase();
            self.columns
                .iter()
                .filter(|column| **column == name)
                .count()
        };
        match columns.iter().find(|name| count(name) > 1) {
            Some(name) => Err(Error::file(
                &self.path,
                format!("has two columns {name}; keep one"),
            )),
            None => Ok(()),
        }
    }

    fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|name| self.column(name).is_some())
    }

    /// The error if the columns exist but have another separator.
    fn other_separator(&self, columns: &[&str]) -> Option<Error> {
        let [line] = self.columns.as_slice() else {
            return None;
        };
        let has = |separator: char| {
            let cells: Vec<&str> = line.split(separator).map(cell).collect();
            columns
                .iter()
                .all(|name| cells.contains(&name.to_lowercase().as_str()))
        };
        let found = [
            (';', "semicolons"),
            (',', "commas"),
            ('\t', "tabs"),
            (' ', "blanks"),
        ];
        let (_, found) = found.into_iter().find(|&(separator, _)| has(separator))?;
        let (_, should) = names_of(separator(&self.path)?);
        Some(Error::file(
            &self.path,
            format!("has {found} between its columns; it should have {should}"),
        ))
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| *column == name.to_lowercase())
    }

    /// The content of a cell. `None` if it is empty.
    pub(crate) fn cell<'a>(&self, row: &'a StringRecord, column: &str) -> Option<&'a str> {
        row.get(self.column(column)?)
            .filter(|cell| !cell.is_empty())
    }

    /// An error about a row.
    pub(crate) fn error(&self, row: &StringRecord, problem: impl std::fmt::Display) -> Error {
        Error::file(&self.path, format!("line {}: {problem}", line_of(row)))
    }

    /// The sex of each subject, or the problem of its row. `subject` names the subject of a row.
    pub(crate) fn sexes(
        &self,
        subject: impl Fn(&StringRecord) -> Option<String>,
        sex_column: &str,
    ) -> BTreeMap<String, Result<Sex>> {
        let mut sexes = BTreeMap::new();
        // The first subject with each number, which is 7 for both `7` and `007`, and its line.
        let mut numbers = BTreeMap::new();
        for row in &self.rows {
            let Some(subject) = subject(row) else {
                continue;
            };
            if let Some(number) = whole_number(subject.trim_start_matches("sub-")) {
                let (first, line) =
                    (numbers.entry(number)).or_insert_with(|| (subject.clone(), line_of(row)));
                if *first != subject {
                    let alike = || {
                        let problem = format!(
                            "{subject} is the same number as {first} in line {line}; keep one row a subject, or begin their names \
                             with different letters if they are two"
                        );
                        Err(self.error(row, problem))
                    };
                    sexes.insert(first.clone(), alike());
                    sexes.insert(subject.clone(), alike());
                    continue;
                }
            }
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

fn line_of(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

/// The separator of a table with this name.
fn separator(path: &Path) -> Option<u8> {
    match path.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(b','),
        "tsv" => Some(b'\t'),
        _ => None,
    }
}

/// The names of the table's format and of its separator.
fn names_of(separator: u8) -> (&'static str, &'static str) {
    match separator {
        b'\t' => ("TSV", "tabs"),
        _ => ("CSV", "commas"),
    }
}

/// A cell without surrounding blanks and quotes.
fn cell(text: &str) -> &str {
    text.trim().trim_matches('"').trim()
}

/// Whether the first line of an unreadable table names all of `columns`, so that it is the wanted
/// table.
fn first_line_has(path: &Path, columns: &[&str]) -> bool {
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    // In UTF-16, every second byte is 0.
    let line = bytes.into_iter().take_while(|&byte| byte != b'\n');
    let line: Vec<u8> = line.filter(|byte| byte.is_ascii() && *byte != 0).collect();
    let line = String::from_utf8_lossy(&line).to_lowercase();
    let cells: Vec<&str> = line.split([',', ';', '\t']).map(cell).collect();
    columns
        .iter()
        .all(|name| cells.contains(&name.to_lowercase().as_str()))
}

/// The lines of a table, each with its cells. Rows may end early. The code that needs the cell
/// reports that it is missing.
fn records(text: &str, separator: u8) -> Result<Vec<StringRecord>, String> {
    let quoted = separator != b'\t';
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .quoting(quoted)
        .trim(Trim::All)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let records = reader.records().collect::<Result<Vec<_>, _>>();
    let mut records = records.map_err(|problem| format!("is not a readable table: {problem}"))?;
    let mut open_since = None;
    for record in &mut records {
        let line = line_of(record);
        if record.iter().any(|cell| cell.contains(['\n', '\r'])) {
            return Err(several_lines(line));
        }
        if !quoted {
            let Joined {
                cells,
                open,
                closes,
            } = joined(record);
            if let (Some(line), true) = (open_since, closes) {
                return Err(several_lines(line));
            }
            let any = record.iter().any(|cell| cell.contains('"'));
            open_since = if open {
                Some(line)
            } else {
                open_since.filter(|_| !any)
            };
            let position = record.position().cloned();
            *record = StringRecord::from(cells);
            record.set_position(position);
        }
    }
    Ok(records)
}

/// The cells of a line of TSV.
struct Joined {
    cells: Vec<String>,
    /// Whether a quote begins a cell and none ends it.
    open: bool,
    /// Whether a quote ends a cell before any begins one.
    closes: bool,
}

/// Joins cells that were split at a tab between quotes. This is the only use of quotes in the TSV
/// files of BIDS. A quote that does not close in its line is an ordinary character.
fn joined(record: &StringRecord) -> Joined {
    let cells: Vec<&str> = record.iter().collect();
    let begins = |cell: &str| cell.starts_with('"');
    // Two quotes inside quotes stand for one.
    let unpaired = |text: &str| text.chars().filter(|&c| c == '"').count() % 2 == 1;
    let ends = |cell: &str| {
        let rest = cell.strip_prefix('"').unwrap_or(cell);
        unpaired(&rest[rest.trim_end_matches('"').len()..])
    };
    let mut joined = Joined {
        cells: Vec::new(),
        open: false,
        closes: (cells.iter().find(|cell| cell.contains('"')))
            .is_some_and(|cell| !begins(cell) && ends(cell)),
    };
    let mut at = 0;
    while at < cells.len() {
        let mut last = at;
        if begins(cells[at]) && !ends(cells[at]) {
            let next = (at + 1..cells.len()).find(|&next| unpaired(cells[next]));
            match next.filter(|&next| !begins(cells[next]) && ends(cells[next])) {
                Some(next) => last = next,
                None => joined.open = true,
            }
        }
        let text = cells[at..=last].join("\t");
        let quoted = begins(&text) && ends(&text);
        joined.cells.push(if quoted {
            text[1..text.len() - 1]
                .replace("\"\"", "\"")
                .trim()
                .to_owned()
        } else {
            text
        });
        at = last + 1;
    }
    joined
}

fn several_lines(line: u64) -> String {
    format!(
        "line {line}: a quote that begins in one line ends in another; write one line a subject, and no quotes \
         that do not close"
    )
}
