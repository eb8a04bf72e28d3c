//! The Parquet file of a model's predictions for the test set.

use std::path::Path;

use ndarray::Array2;
use parquet::data_type::{DoubleType, Int32Type};

use super::tables::{column, columns, read, values, write};
use crate::error::{Error, Result};
use crate::training::{Errors, argmax};

/// The columns of a classification, with one probability per class.
fn of_classes(classes: usize) -> String {
    let probabilities = (0..classes).map(|class| format!("REQUIRED DOUBLE probability_{class};"));
    format!(
        "message predictions {{
            REQUIRED INT32 image;
            REQUIRED INT32 class;
            REQUIRED INT32 predicted;
            {}
        }}",
        probabilities.collect::<String>()
    )
}

/// The columns of a regression.
const OF_NUMBERS: &str = "message predictions {
    REQUIRED INT32 image;
    REQUIRED INT32 class;
    REQUIRED DOUBLE response;
    REQUIRED DOUBLE predicted;
}";

/// The predictions of a model for the test set, one entry per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The true classes.
    pub class: Vec<u8>,
    /// The predicted classes. Empty for a regression.
    pub predicted: Vec<u8>,
    /// The probabilities `[images, classes]`. Without columns for a regression.
    pub probabilities: Array2<f64>,
    /// The numbers, if the model is a regression.
    pub regression: Option<Regressed>,
}

/// The numbers that a regression predicts, one per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Regressed {
    /// The true ones.
    pub response: Vec<f64>,
    /// The predicted ones.
    pub predicted: Vec<f64>,
}

impl Predictions {
    /// From the true classes and what the model [predicts](crate::sweep::context::Model::predict),
    /// one row per image: the probabilities of all classes, or the only output of a regression, whose
    /// true values are the `response`.
    ///
    /// # Errors
    /// If there is no image, if the number of rows differs, if rows have different lengths, if they have one entry and
    /// there is no response, or if an entry is not a number or infinite. Classes may have minus infinity: the logarithm
    /// of a probability of 0.
    pub fn new(class: Vec<u8>, response: Option<&[f32]>, rows: &[Vec<f64>]) -> Result<Self> {
        if class.is_empty() || class.len() != rows.len() {
            return Err(Error::invalid(format!(
                "the model predicts {} rows for {} test images",
                rows.len(),
                class.len()
            )));
        }
        let outputs = rows[0].len();
        if outputs == 0 || rows.iter().any(|row| row.len() != outputs) {
            return Err(Error::invalid(
                "the model predicts nothing, or different numbers of classes",
            ));
        }
        for (image, row) in rows.iter().enumerate() {
            let of_class = |output: f64| outputs > 1 && output == f64::NEG_INFINITY;
            let unusable = |output: &&f64| !output.is_finite() && !of_class(**output);
            if let Some(output) = row.iter().find(unusable) {
                return Err(Error::invalid(format!(
                    "the model predicts {output} for test image {image}; its weights or this image are not usable \
                     numbers"
                )));
            }
        }
        if outputs == 1 {
            let response = response.ok_or_else(|| {
                Error::invalid(
                    "the model has one output, as a regression has, but the test images only have classes; give \
                     `Dataset::with_response`, or a model with one output a class",
                )
            })?;
            return Ok(Self {
                predicted: Vec::new(),
                probabilities: Array2::zeros((class.len(), 0)),
                class,
                regression: Some(Regressed {
                    response: response.iter().map(|&number| number.into()).collect(),
                    predicted: rows.concat(),
                }),
            });
        }
        let probabilities = Array2::from_shape_vec((class.len(), outputs), rows.concat());
        let predicted = rows.iter().map(|row| u8::try_from(argmax(row)));
        let predicted = predicted.collect::<std::result::Result<_, _>>();
        Ok(Self {
            predicted: predicted.map_err(|_| {
                Error::invalid(
                    "the model predicts one of the classes above 255, which no image can have",
                )
            })?,
            class,
            probabilities: probabilities.map_err(Error::invalid)?,
            regression: None,
        })
    }

    /// Whether each image is classified correctly. Empty for a regression.
    pub fn correct(&self) -> impl Iterator<Item = bool> {
        self.class
            .iter()
            .zip(&self.predicted)
            .map(|(class, predicted)| class == predicted)
    }

    /// The accuracy: the share of correct predictions. Not a number for a regression.
    pub fn accuracy(&self) -> f64 {
        match self.regression {
            Some(_) => f64::NAN,
            None => {
                self.correct().filter(|correct| *correct).count() as f64 / self.class.len() as f64
            }
        }
    }

    /// How far a regression is off. `None` for a classification.
    pub fn errors(&self) -> Option<Errors> {
        let Regressed {
            response,
            predicted,
        } = self.regression.as_ref()?;
        let pairs = predicted.iter().zip(response);
        let pairs: Vec<[f64; 2]> = pairs.map(|(&one, &other)| [one, other]).collect();
        Some(Errors::of(&pairs))
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
        let schema = match &self.regression {
            Some(_) => OF_NUMBERS.to_owned(),
            None => of_classes(self.probabilities.ncols()),
        };
        write(path, &schema, |group| {
            column::<Int32Type>(group, &(0..self.class.len() as i32).collect::<Vec<_>>())?;
            column::<Int32Type>(group, &wide(&self.class))?;
            if let Some(regressed) = &self.regression {
                column::<DoubleType>(group, &regressed.response)?;
                return column::<DoubleType>(group, &regressed.predicted);
            }
            column::<Int32Type>(group, &wide(&self.predicted))?;
            let mut of_class = self.probabilities.columns().into_iter();
            of_class.try_for_each(|values| column::<DoubleType>(group, &values.to_vec()))
        })
    }

    /// Reads a file written by [`Predictions::write`].
    ///
    /// # Errors
    /// If the file is missing, damaged or has other columns.
    pub fn read(path: &Path) -> Result<Self> {
        let narrow = |column: Vec<i32>| column.into_iter().map(|class| class as u8);
        let mut class = Vec::new();
        let columns = columns(path)?;
        // A classification has at least two probabilities.
        if columns == 4 {
            let (mut response, mut predicted) = (Vec::new(), Vec::new());
            read(path, OF_NUMBERS, |group, rows| {
                class.extend(narrow(values::<Int32Type>(group, 1, rows)?));
                response.extend(values::<DoubleType>(group, 2, rows)?);
                predicted.extend(values::<DoubleType>(group, 3, rows)?);
                Ok(())
            })?;
            return Ok(Self {
                predicted: Vec::new(),
                probabilities: Array2::zeros((class.len(), 0)),
                class,
                regression: Some(Regressed {
                    response,
                    predicted,
                }),
            });
        }
        let mut predicted = Vec::new();
        let classes = columns.saturating_sub(3);
        let mut probabilities = vec![Vec::new(); classes];
        read(path, &of_classes(classes), |group, rows| {
            class.extend(narrow(values::<Int32Type>(group, 1, rows)?));
            predicted.extend(narrow(values::<Int32Type>(group, 2, rows)?));
            for (at, of_class) in probabilities.iter_mut().enumerate() {
                of_class.extend(values::<DoubleType>(group, 3 + at, rows)?);
            }
            Ok(())
        })?;
        let of_class = Array2::from_shape_vec((classes, class.len()), probabilities.concat());
        let probabilities = of_class.map_err(|error| Error::file(path, error))?;
        Ok(Self {
            class,
            predicted,
            probabilities: probabilities.reversed_axes(),
            regression: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::write_scores;
    use super::*;

    fn kept(predictions: &Predictions) -> (usize, Predictions) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.parquet");
        predictions.write(&path).unwrap();
        (columns(&path).unwrap(), Predictions::read(&path).unwrap())
    }

    #[test]
    fn predictions_have_a_probability_of_each_class() {
        let rows = [vec![0.5, 0.25, 0.25], vec![0.125, 0.25, 0.625]];
        let predictions = Predictions::new(vec![0, 1], None, &rows).unwrap();
        let (columns, again) = kept(&predictions);
        assert_eq!(again, predictions);
        assert_eq!(again.probabilities.row(1).to_vec(), rows[1]);
        assert_eq!(again.predicted, [0, 2]);
        assert_eq!(columns, 6);
        // Two columns of a classification are not those of a regression; of equals, the first is predicted.
        let rows = [vec![0.5, 0.5], vec![0.25, 0.75]];
        let predictions = Predictions::new(vec![0, 0], None, &rows).unwrap();
        assert_eq!(kept(&predictions).1, predictions);
        assert_eq!(predictions.predicted, [0, 1]);
        assert_eq!((predictions.accuracy(), predictions.errors()), (0.5, None));

        assert!(Predictions::new(vec![0, 0], None, &[vec![0.5, 0.5], vec![0.5]]).is_err());
        for [a, b] in [[0.5, f64::NAN], [f64::INFINITY, 0.5]] {
            let problem = Predictions::new(vec![0, 0], None, &[vec![0.5, 0.5], vec![a, b]]);
            let problem = problem.unwrap_err().to_string();
            assert!(problem.contains("for test image 1"), "{problem}");
        }
        // The logarithm of 0.
        let rows = [vec![f64::NEG_INFINITY, 0.0]];
        let predictions = Predictions::new(vec![1], None, &rows).unwrap();
        assert_eq!(kept(&predictions).1, predictions);
        assert_eq!(predictions.predicted, [1]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.parquet");
        write_scores(&path, &[]).unwrap();
        assert!(Predictions::read(&path).is_err());
    }

    #[test]
    fn a_regression_predicts_a_number() {
        let rows = [vec![1.5], vec![2.0], vec![-4.0]];
        let class = vec![0, 1, 1];
        let problem = Predictions::new(class.clone(), None, &rows).unwrap_err();
        assert!(problem.to_string().contains("with_response"), "{problem}");
        let response = [1.0, 2.0, 3.0];
        let nan = [vec![f64::NAN], vec![2.0], vec![-4.0]];
        let problem = Predictions::new(class.clone(), Some(&response), &nan).unwrap_err();
        assert!(
            problem.to_string().contains("NaN for test image 0"),
            "{problem}"
        );
        let infinite = [vec![1.5], vec![f64::NEG_INFINITY], vec![-4.0]];
        assert!(Predictions::new(class.clone(), Some(&response), &infinite).is_err());
        let predictions = Predictions::new(class, Some(&response), &rows).unwrap();
        let (columns, again) = kept(&predictions);
        assert_eq!((columns, &again), (4, &predictions));
        assert_eq!(again.correct().count(), 0);
        assert!(again.accuracy().is_nan());
        assert_eq!(again.errors().unwrap().mae, 7.5 / 3.0);
    }
}
