//! The meaning of colours and lines.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::figure::Figure;
use super::font::text_width;
use super::quality::Quality;
use super::style::{CHANCE, NEUTRAL, baseline_color, draw_accuracy, draw_mark, series_color};
use crate::error::Result;

const SIZE: f64 = 33.0;
const ROW: f64 = 56.0;
const KEY: f64 = 52.0;
const KEY_GAP: f64 = 16.0;
const ENTRY_GAP: f64 = 46.0;

/// The symbol before a name.
pub(super) enum Key {
    Box(RGBColor),
    /// The mark of a series in a chart.
    Mark(usize),
    /// The line of accuracy or R2.
    Quality,
    Chance,
}

/// The legend over the panels, in as many rows as it needs.
pub(super) struct Legend {
    rows: Vec<Vec<(Key, String)>>,
    /// Its height in pixels.
    pub height: f64,
}

impl Legend {
    /// The legend of a figure, at most `width` pixels wide.
    pub fn of(figure: &Figure, width: f64) -> Self {
        let baselines = figure.baselines.iter().enumerate();
        let series = figure.series.iter().enumerate();
        let right = match figure.quality {
            Quality::Accuracy => "Accuracy (right)".to_owned(),
            Quality::R2 => "R2 (right)".to_owned(),
        };
        let entries = baselines
            .map(|(i, name)| (Key::Box(baseline_color(i)), name.clone()))
            .chain(series.map(|(i, one)| (Key::Box(series_color(i)), one.name.clone())))
            .chain([(Key::Quality, right)])
            .chain(
                (figure.chance.is_some() || !figure.chances.is_empty())
                    .then(|| (Key::Chance, "Chance level".to_owned())),
            );

        Self::new(entries.collect(), width)
    }

    /// A legend of these entries, at most `width` pixels wide.
    pub fn new(entries: Vec<(Key, String)>, width: f64) -> Self {
        if entries.is_empty() {
            return Self {
                rows: Vec::new(),
                height: 0.0,
            };
        }
        let widths: Vec<f64> = entries.iter().map(entry_width).collect();
        let mut lengths = lengths_of_rows(&widths, width);
        // As narrow as this number of rows allows, so that the last one is seldom almost empty.
        let (mut too_narrow, mut enough) = (0.0, width);
        while enough - too_narrow > 1.0 {
            let middle = (enough + too_narrow) / 2.0;
            let found = lengths_of_rows(&widths, middle);
            if found.len() > lengths.len() {
                too_narrow = middle;
            } else {
                (enough, lengths) = (middle, found);
            }
        }
        let mut entries = entries.into_iter();
        let rows: Vec<Vec<(Key, String)>> = lengths
            .into_iter()
            .map(|length| entries.by_ref().take(length).collect())
            .collect();
        let height = rows.len() as f64 * ROW;
        Self { rows, height }
    }

    /// Draws it from `top` on, centred on a page of the given width.
    pub fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, top: f64, page: f64) -> Result<()> {
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + ROW * (i as f64 + 0.5);
            let mut x = (page - row_width(row)) / 2.0;
            for entry in row {
                let (key, name) = entry;
                match key {
                    Key::Box(color) => {
                        canvas.rectangle((x, y - 16.0), (x + KEY, y + 16.0), *color)?
                    }
                    Key::Mark(series) => draw_mark(canvas, (x + KEY / 2.0, y), *series)?,
                    Key::Quality => {
                        draw_accuracy(canvas, &[(x + 9.0, y), (x + KEY - 9.0, y)], NEUTRAL)?
                    }
                    Key::Chance => canvas.dashes((x, x + KEY), y, CHANCE, 3.0)?,
                }
                let place = (x + KEY + KEY_GAP, y);
                canvas.text(name, place, SIZE, Align::Left, Turn::None)?;
                x += entry_width(entry) + ENTRY_GAP;
            }
        }
        Ok(())
    }
}

/// How many entries of these widths each row has, if a row takes as many as fit.
fn lengths_of_rows(widths: &[f64], width: f64) -> Vec<usize> {
    let (mut lengths, mut used) = (Vec::new(), f64::INFINITY);
    for &entry in widths {
        match lengths.last_mut() {
            Some(length) if used + ENTRY_GAP + entry <= width => {
                *length += 1;
                used += ENTRY_GAP + entry;
            }
            _ => {
                lengths.push(1);
                used = entry;
            }
        }
    }
    lengths
}

fn entry_width((_, name): &(Key, String)) -> f64 {
    KEY + KEY_GAP + text_width(name, SIZE)
}

fn row_width(row: &[(Key, String)]) -> f64 {
    let gaps = row.len().saturating_sub(1) as f64 * ENTRY_GAP;
    row.iter().map(entry_width).sum::<f64>() + gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_narrow_as_their_number_allows() {
        let legend = |count: usize, width: f64| {
            let entry = |_| (Key::Chance, "ten letters".to_owned());
            let rows = Legend::new((0..count).map(entry).collect(), width).rows;
            rows.iter().map(Vec::len).collect::<Vec<_>>()
        };
        let one = entry_width(&(Key::Chance, "ten letters".to_owned()));
        let of = |count: usize| count as f64 * (one + ENTRY_GAP);
        assert_eq!(legend(8, of(8)), [8]);
        assert_eq!(legend(8, of(7)), [4, 4]);
        assert_eq!(legend(7, of(3)), [3, 3, 1]);
        assert_eq!(legend(2, one / 2.0), [1, 1]);
        assert_eq!(legend(0, one), [0; 0]);
    }
}
