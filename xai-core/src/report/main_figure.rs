//! The figure of a metric: boxes, or a matrix if there are too many combinations for boxes.

use plotters::prelude::*;

use super::canvas::Canvas;
use super::draw::BoxPlots;
use super::figure::{Figure, performance};
use super::matrix::Matrix;
use super::page::Page;
use super::summary::Summary;
use crate::error::Result;

/// The largest number of series whose colours are easily distinguished.
const SERIES: usize = 6;

/// The figure of a metric.
pub(super) enum MainFigure<'a> {
    /// One panel per method, with one colour per series.
    Boxes(BoxPlots<'a>),
    /// One row per method, with one column per combination of levels.
    Matrix(Matrix),
}

impl<'a> MainFigure<'a> {
    /// Chooses the form of a figure. `figure` is that of the summary.
    pub fn of(summary: &Summary, figure: &'a Figure) -> Self {
        if figure.series.len() > SERIES {
            let what = performance(summary.metric);
            Self::Matrix(Matrix::of(summary, format!("{what}, mean")))
        } else {
            Self::Boxes(BoxPlots::of(figure))
        }
    }

    /// How to read it, for its caption.
    pub fn reading(&self, summary: &Summary) -> String {
        match self {
            Self::Boxes(_) => {
                let boxes = format!(
                    "Boxes show the quartiles over images and trainings. Whiskers extend to the last value within 1.5 \
                     interquartile ranges. Lines: {} on the test images (right scale).",
                    summary.quality.title()
                );
                match summary.chance {
                    Some(chance) => format!("{boxes} Dashed: the chance level, {chance:.3}."),
                    None if summary.chances_differ => {
                        format!("{boxes} Dashed: the chance level of each box.")
                    }
                    None => boxes,
                }
            }
            Self::Matrix(matrix) => format!(
                "Each field is the mean over images and trainings. {}",
                matrix.reading()
            ),
        }
    }
}

impl Page for MainFigure<'_> {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Boxes(boxes) => boxes.size(),
            Self::Matrix(matrix) => matrix.size(),
        }
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        match self {
            Self::Boxes(boxes) => boxes.draw(canvas),
            Self::Matrix(matrix) => matrix.draw(canvas),
        }
    }
}
