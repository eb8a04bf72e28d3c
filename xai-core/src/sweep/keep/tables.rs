//! The Parquet files of scores and predictions. DuckDB, Polars, pandas and R can read them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::error::{Error, Result};
use crate::metrics::{Score, Scores};
use crate::training::argmax;

const SCORES: &str = "message scores {
    REQUIRED INT32 image;
    REQUIRED INT32 class;
    REQUIRED BYTE_ARRAY method (UTF8);
    REQUIRED BYTE_ARRAY metric (UTF8);
    REQUIRED DOUBLE value;
}";

const PREDICTIONS: &str = "message predictions {
    REQUIRED INT32 image;
    REQUIRED INT32 class;
    REQUIRED INT32 predicted;
    REQUIRED DOUBLE probability;
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

/// The predictions of a model for the test set, one entry per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The true classes.
    pub class: Vec<u8>,
    /// The predicted classes.
    pub predicted: Vec<u8>,
    /// The probability of class 1.
    pub probability: Vec<f64>,
}

impl Predictions {
    /// From the true classes and the probabilities of all classes, one row per image.
    ///
    /// # Errors
    /// If there is no image, if the number of rows differs, or if there are fewer than two classes.
    pub fn new(class: Vec<u8>, probabilities: &[Vec<f64>]) -> Result<Self> {
        if class.is_empty() || class.len() != probabilities.len() {
            return Err(Error::invalid(format!(
                "the model predicts {} classes for {} test images",
                probabilities.len(),
                class.len()
            )));
        }
        let second = |row: &Vec<f64>| row.get(1).copied();
        let probability = probabilities.iter().map(second).collect::<Option<_>>();
        let probability = probability.ok_or_else(|| {
            Error::invalid("the model predicts probabilities of fewer than two classes")
        })?;
        let predicted = probabilities.iter().map(|row| u8::try_from(argmax(row)));
        let predicted = predicted.collect::<std::result::Result<_, _>>();
        Ok(Self {
            predicted: predicted.map_err(|_| {
                Error::invalid(
                    "the model predicts one of the classes above 255, which no image can have",
                )
            })?,
            class,
            probability,
        })
    }

    /// Whether each image is classified correctly.
    pub fn correct(&self) -> impl Iterator<Item = bool> {
        self.class
            .iter()
            .zip(&self.predicted)
            .map(|(class, predicted)| class == predicted)
    }

    /// The accuracy: the share of correct predictions.
    pub fn accuracy(&self) -> f64 {
        self.correct().filter(|correct| *correct).count() as f64 / self.class.len() as f64
    }

    /// Writes one row per image.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wide = |classes: &[u8]| {
            classes
                .iter()
                .map(|class| i32::from(*class))
                .collect::<Vec<_>>()
        };
        write(path, PREDICTIONS, |group| {
            column::<Int32Type>(group, &(0..self.class.len() as i32).collect::<Vec<_>>())?;
            column::<Int32Type>(group, &wide(&self.class))?;
            column::<Int32Type>(group, &wide(&self.predicted))?;
            column::<DoubleType>(group, &self.probability)
        })
    }

    /// Reads a file written by [`Predictions::write`].
    ///
    /// # Errors
    /// If the file is missing, damaged or has other columns.
    pub fn read(path: &Path) -> Result<Self> {
        let mut predictions = Self {
            class: Vec::new(),
            predicted: Vec::new(),
            probability: Vec::new(),
        };
        read(path, PREDICTIONS, |group, rows| {
            let narrow = |column: Vec<i32>| column.into_iter().map(|class| class as u8);
            predictions
                .class
                .extend(narrow(values::<Int32Type>(group, 1, rows)?));
            predictions
                .predicted
                .extend(narrow(values::<Int32Type>(group, 2, rows)?));
            let probability = values::<DoubleType>(group, 3, rows)?;
            predictions.probability.extend(probability);
            Ok(())
        })?;
        Ok(predictions)
    }
}

type Parquet<T> = parquet::errors::Result<T>;

/// Writes a file with one row group. The same rows give the same bytes.
fn write(
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
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Parquet<()> {
    let mut column = group
        .next_column()?
        .expect("as many columns as the schema has");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

fn read(
    path: &Path,
    schema: &str,
    mut each: impl FnMut(&dyn RowGroupReader, usize) -> Parquet<()>,
) -> Result<()> {
    let damaged = |error| {
        Error::file(
            path,
            format!("not written by this program, or damaged ({error}); delete it and run again"),
        )
    };
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let expected = parse_message_type(schema).expect("our own schema");
    if reader.metadata().file_metadata().schema() != &expected {
        return Err(Error::file(
            path,
            "has unexpected columns; delete it and run again",
        ));
    }
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(damaged)?;
        let rows = group.metadata().num_rows() as usize;
        each(group.as_ref(), rows).map_err(damaged)?;
    }
    Ok(())
}

fn values<T: DataType>(
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
        return Err(parquet::errors::ParquetError::General(format!(
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
        let rows = [vec![0.5, 0.5], vec![0.25, 0.75]];
        let predictions = Predictions::new(vec![0, 0], &rows).unwrap();
        predictions.write(&path).unwrap();
        assert_eq!(Predictions::read(&path).unwrap(), predictions);
        assert_eq!(predictions.predicted, [0, 1]); // the first of equals
        assert_eq!(predictions.probability, [0.5, 0.75]);
        assert!(
            read_scores(&path)
                .unwrap_err()
                .to_string()
                .contains("unexpected columns")
        );
    }
}
