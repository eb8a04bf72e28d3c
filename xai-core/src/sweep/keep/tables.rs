//! The Parquet file of scores, and how such files are read and written. DuckDB, Polars, pandas and R can read them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::error::{Error, Result};
use crate::metrics::{Score, Scores};

const SCORES: &str = "message scores {
    REQUIRED INT32 image;
    REQUIRED INT32 class;
    REQUIRED BYTE_ARRAY method (UTF8);
    REQUIRED BYTE_ARRAY metric (UTF8);
    REQUIRED DOUBLE value;
}";

/// Writes one row per score, in the given order.
///
/// # Errors
/// If the file cannot be written.
pub fn write_scores(path: &Path, scores: &[Score]) -> Result<()> {
    let text = |field: fn(&Score) -> &str| {
        scores
            .iter()
            .map(|score| ByteArray::from(field(score)))
            .collect::<Vec<_>>()
    };
    write(path, SCORES, |group| {
        column::<Int32Type>(
            group,
            &scores
                .iter()
                .map(|score| score.image as i32)
                .collect::<Vec<_>>(),
        )?;
        column::<Int32Type>(
            group,
            &scores
                .iter()
                .map(|score| i32::from(score.class))
                .collect::<Vec<_>>(),
        )?;
        column::<ByteArrayType>(group, &text(|score| &score.method))?;
        column::<ByteArrayType>(group, &text(|score| &score.metric))?;
        column::<DoubleType>(
            group,
            &scores.iter().map(|score| score.value).collect::<Vec<_>>(),
        )
    })
}

/// Reads a file written by [`write_scores`].
///
/// # Errors
/// If the file is missing, damaged or has other columns.
pub fn read_scores(path: &Path) -> Result<Scores> {
    let mut scores = Scores::new();
    read(path, SCORES, |group, rows| {
        let image = values::<Int32Type>(group, 0, rows)?;
        let class = values::<Int32Type>(group, 1, rows)?;
        let method = values::<ByteArrayType>(group, 2, rows)?;
        let metric = values::<ByteArrayType>(group, 3, rows)?;
        let value = values::<DoubleType>(group, 4, rows)?;
        for row in 0..rows {
            scores.push(Score {
                image: image[row] as u32,
                class: class[row] as u8,
                method: method[row].as_utf8()?.to_owned(),
                metric: metric[row].as_utf8()?.to_owned(),
                value: value[row],
            });
        }
        Ok(())
    })?;
    Ok(scores)
}

pub(super) type Parquet<T> = parquet::errors::Result<T>;

/// Writes a file with one row group. The same rows give the same bytes.
pub(super) fn write(
    path: &Path,
    schema: &str,
    fill: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>) -> Parquet<()>,
) -> Result<()> {
    let file = File::create(path).map_err(|error| Error::file(path, error))?;
    let attempt = || {
        let schema = Arc::new(parse_message_type(schema)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        fill(&mut group)?;
        group.close()?;
        writer.close().map(drop)
    };
    attempt().map_err(|error| Error::file(path, error))
}

/// Writes the next column. No value is null, so there are no definition levels.
pub(super) fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Parquet<()> {
    let mut column = group
        .next_column()?
        .expect("as many columns as the schema has");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

fn damaged(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |error| {
        let problem = format!("not a file of ours, or damaged ({error}); delete it and run again");
        Error::file(path, problem)
    }
}

fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    SerializedFileReader::new(file).map_err(damaged(path))
}

/// The number of columns of a file.
pub(super) fn columns(path: &Path) -> Result<usize> {
    let reader = open(path)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    Ok(schema.num_columns())
}

pub(super) fn read(
    path: &Path,
    schema: &str,
    mut each: impl FnMut(&dyn RowGroupReader, usize) -> Parquet<()>,
) -> Result<()> {
    let reader = open(path)?;
    let expected = parse_message_type(schema).expect("our own schema");
    if reader.metadata().file_metadata().schema() != &expected {
        return Err(Error::file(
            path,
            "has unexpected columns; delete it and run again",
        ));
    }
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(damaged(path))?;
        let rows = group.metadata().num_rows() as usize;
        each(group.as_ref(), rows).map_err(damaged(path))?;
    }
    Ok(())
}

pub(super) fn values<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Parquet<Vec<T::T>> {
    let mut values = Vec::with_capacity(rows);
    get_typed_column_reader::<T>(group.get_column_reader(index)?).read_records(
        rows,
        None,
        None,
        &mut values,
    )?;
    if values.len() != rows {
        return Err(ParquetError::General(format!(
            "{} of {rows} rows",
            values.len()
        )));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Scores {
        let score = |image: u32, method: &str| Score {
            image,
            class: (image % 2) as u8,
            method: method.to_owned(),
            metric: "precision".to_owned(),
            value: f64::from(image) / 7.0,
        };
        (0..100)
            .flat_map(|image| [score(image, "lrp"), score(image, "saliency")])
            .collect()
    }

    #[test]
    fn scores_come_back_and_bytes_are_stable() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"));
        write_scores(&first, &example()).unwrap();
        write_scores(&second, &example()).unwrap();
        assert_eq!(read_scores(&first).unwrap(), example());
        assert_eq!(
            std::fs::read(first).unwrap(),
            std::fs::read(second).unwrap()
        );
    }

    #[test]
    fn no_scores_are_a_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.parquet");
        write_scores(&path, &[]).unwrap();
        assert_eq!(read_scores(&path).unwrap(), []);
    }

    #[test]
    fn a_damaged_or_foreign_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.parquet");
        write_scores(&path, &example()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read_scores(&path).unwrap_err().to_string();
        assert!(
            message.contains("scores.parquet") && message.contains("damaged"),
            "{message}"
        );
        let other = "message other { REQUIRED INT32 image; }";
        write(&path, other, |group| column::<Int32Type>(group, &[7])).unwrap();
        assert!(
            read_scores(&path)
                .unwrap_err()
                .to_string()
                .contains("unexpected columns")
        );
    }
}
