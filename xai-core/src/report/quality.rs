//! How well networks do their task, beside how well they are explained.

use crate::error::{Error, Result};
use crate::sweep::read::{CellResult, SweepResult};

/// The number that says how well a network does its task. 1 is perfect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    /// The accuracy of a classification.
    Accuracy,
    /// The coefficient of determination (R2) of a regression.
    R2,
}

impl Quality {
    /// # Errors
    /// If some networks are classifications and others regressions.
    pub fn of(result: &SweepResult) -> Result<Self> {
        let regressions = result.cells.iter().filter(|cell| cell.regression.is_some());
        match regressions.count() {
            0 => Ok(Self::Accuracy),
            all if all == result.cells.len() => Ok(Self::R2),
            some => Err(Error::invalid(format!(
                "{}: {some} of {} networks are regressions and the others classify, so one table cannot say how well \
                 they do; run them apart, by --set",
                result.name,
                result.cells.len()
            ))),
        }
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::R2 => "r2",
        }
    }

    /// Its name in text and in figures.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::R2 => "R2",
        }
    }

    /// The title of its scale.
    pub fn of_scale(self) -> &'static str {
        match self {
            Self::Accuracy => "Classification accuracy",
            Self::R2 => "R2 of the regression",
        }
    }

    /// Its value without any knowledge: guessing among equally frequent classes, or predicting the
    /// mean.
    pub fn chance(self, result: &SweepResult) -> f64 {
        match self {
            Self::Accuracy => result.chance_of_accuracy(),
            Self::R2 => 0.0,
        }
    }

    /// On the validation set.
    pub fn validation(self, cell: &CellResult) -> f64 {
        match (self, cell.regression) {
            (Self::R2, Some(regression)) => regression.validation.r2,
            _ => cell.validation_accuracy,
        }
    }

    /// On the test set.
    pub fn test(self, cell: &CellResult) -> f64 {
        match (self, cell.regression) {
            (Self::R2, Some(regression)) => regression.test.r2,
            _ => cell.test_accuracy,
        }
    }
}
