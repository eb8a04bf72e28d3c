//! A matrix of means: one row per method, one column per combination of levels. With many
//! combinations, it is easier to read than boxes.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::font::text_width;
use super::page::Page;
use super::style::{BLUE, EDGE, FRAME, GRID, VERMILION};
use super::summary::{Group, Summary, title_of};
use crate::attribution::methods::method_title;
use crate::error::Result;
use crate::metrics::{Better, better};
use crate::statistics::mean;
use crate::sweep::read::{Axis, Image};

// Lengths in pixels of the PNG.
const TEXT: f64 = 30.0;
const NUMBER: f64 = 25.0;
const ROW: f64 = 50.0;
const COLUMN: f64 = 84.0;
/// Between columns whose level of the first axis differs.
const GAP: f64 = 20.0;
/// The scale of colours below the matrix.
const KEY: (f64, f64) = (640.0, 28.0);

// These colours are the same on dark pages.
const DARK_TEXT: RGBColor = RGBColor(41, 40, 40);
const LIGHT_TEXT: RGBColor = RGBColor(253, 253, 253);
const NOTHING: RGBColor = RGBColor(247, 247, 247);

/// The matrix of a metric, before any pixel is drawn.
pub(super) struct Matrix {
    /// The names of the axes, and for each column its levels.
    axes: Vec<String>,
    columns: Vec<Vec<String>>,
    rows: Vec<MatrixRow>,
    colors: Colors,
    title: String,
    left: f64,
    /// The height of the names of the last axis' levels, which are written upwards.
    turned: f64,
}

struct MatrixRow {
    title: String,
    /// By column: the text, and the value with its chance level if the field is coloured.
    fields: Vec<Option<(String, Option<[f64; 2]>)>>,
}

impl Matrix {
    /// The means of a summary, titled with what they measure.
    pub fn of(summary: &Summary, title: String) -> Self {
        let groups = &summary.groups;
        let chances: Vec<Option<f64>> = groups.iter().map(|group| group.chance).collect();
        let plain = |title: &str, text: &dyn Fn(&Group) -> String| MatrixRow {
            title: title.to_owned(),
            fields: groups
                .iter()
                .map(|group| Some((text(group), None)))
                .collect(),
        };
        let mut rows: Vec<MatrixRow> = summary
            .methods
            .iter()
            .map(|method| MatrixRow {
                title: method_title(method),
                fields: (groups.iter().zip(&chances))
                    .map(|(group, chance)| field(&group.scores(method), *chance))
                    .collect(),
            })
            .collect();
        for reference in &summary.baselines {
            let chance = reference.chance.or(summary.chance);
            for method in &reference.methods {
                let field = field(&reference.scores(method), chance);
                rows.push(MatrixRow {
                    title: title_of(reference.name, method),
                    fields: vec![field; groups.len()],
                });
            }
        }
        if chances.iter().any(Option::is_some) {
            rows.push(MatrixRow {
                title: "Chance level".to_owned(),
                fields: (chances.iter())
                    .map(|chance| chance.map(|chance| (two_digits(chance), None)))
                    .collect(),
            });
        }
        let quality = format!("Test {}", summary.quality.title());
        rows.push(plain(&quality, &|group| two_digits(group.test_quality())));
        rows.push(plain("Images", &|group| {
            group.images(&summary.methods).to_string()
        }));
        let columns: Vec<Vec<String>> = groups
            .iter()
            .map(|group| {
                let levels = summary.axes.iter().zip(&group.levels);
                levels.map(|(axis, &at)| axis.titles[at].clone()).collect()
            })
            .collect();
        let axes: Vec<String> = summary.axes.iter().map(Axis::title).collect();
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text_width(text, TEXT)).fold(0.0, f64::max)
        };
        let last = &mut columns.iter().filter_map(|levels| levels.last());
        let titles = &mut rows.iter().map(|row| &row.title).chain(&axes);
        Self {
            colors: Colors::of(&rows, better(summary.metric)),
            left: EDGE + widest(titles) + 24.0,
            turned: widest(last) + 20.0,
            axes,
            columns,
            rows,
            title,
        }
    }

    /// What its colours mean.
    pub fn reading(&self) -> &'static str {
        match self.colors.white {
            None => {
                "Blue fields are better than the chance level of their column, and orange fields are worse."
            }
            Some(_) => "The bluer a field, the better.",
        }
    }

    /// The left edge of a column. The edge of the one behind the last is that of the matrix, with a gap.
    fn x(&self, column: usize) -> f64 {
        let first = |at: usize| self.columns.get(at).and_then(|levels| levels.first());
        let gaps = (1..=column).filter(|&at| first(at) != first(at - 1));
        self.left + COLUMN * column as f64 + GAP * gaps.count() as f64
    }

    fn right(&self) -> f64 {
        self.x(self.columns.len()) - GAP
    }

    /// The top of a row. The three or two rows of facts at the end stand apart.
    fn y(&self, row: usize) -> f64 {
        let coloured = |at: usize| {
            let mut fields = self.rows[at].fields.iter().flatten();
            fields.any(|(_, value)| value.is_some())
        };
        let apart = (0..=row.min(self.rows.len() - 1)).any(|at| !coloured(at));
        let names = self.axes.len().saturating_sub(1) as f64 * ROW + self.turned;
        EDGE + names + ROW * row as f64 + if apart { GAP } else { 0.0 }
    }
}

/// The mean of some scores as a coloured field.
fn field(scores: &[(Image, f64)], chance: Option<f64>) -> Option<(String, Option<[f64; 2]>)> {
    let values: Vec<f64> = scores.iter().map(|&(_, value)| value).collect();
    let mean = mean(&values)?;
    Some((two_digits(mean), Some([mean, chance.unwrap_or(f64::NAN)])))
}

fn two_digits(value: f64) -> String {
    format!("{value:.2}")
}

/// From value to colour: blue is better than chance, orange is worse. Without a chance level, the
/// worst value is white.
struct Colors {
    /// The [rank](Better::rank) of white, unless each field has its own.
    white: Option<f64>,
    /// The difference of ranks from white that has the full colour.
    full: f64,
    better: Better,
}

impl Colors {
    fn of(rows: &[MatrixRow], better: Better) -> Self {
        let fields = rows.iter().flat_map(|row| row.fields.iter().flatten());
        let values = fields.filter_map(|(_, value)| *value);
        let ranks: Vec<[f64; 2]> = values
            .map(|values| values.map(|value| better.rank(value)))
            .collect();
        let worst = ranks.iter().map(|&[rank, _]| rank).reduce(f64::min);
        let unknown = ranks.iter().any(|[_, chance]| chance.is_nan());
        let white = worst.filter(|_| unknown);
        let far = ranks
            .iter()
            .map(|&[rank, chance]| (rank - white.unwrap_or(chance)).abs());
        Self {
            white,
            full: far.fold(f64::MIN_POSITIVE, f64::max),
            better,
        }
    }

    /// The colour of a value and that of the text on it.
    fn at(&self, values: [f64; 2]) -> [RGBColor; 2] {
        let [rank, chance] = values.map(|value| self.better.rank(value));
        self.of_share((rank - self.white.unwrap_or(chance)) / self.full)
    }

    /// The colours of a difference from white, from -1 to 1.
    fn of_share(&self, share: f64) -> [RGBColor; 2] {
        let RGBColor(r, g, b) = if share < 0.0 { VERMILION } else { BLUE };
        let strength = share.abs().min(1.0);
        let mixed = |part: u8| (247.0 + strength * (f64::from(part) - 247.0)).round() as u8;
        let text = if strength > 0.6 {
            LIGHT_TEXT
        } else {
            DARK_TEXT
        };
        [RGBColor(mixed(r), mixed(g), mixed(b)), text]
    }
}

impl Page for Matrix {
    fn size(&self) -> (u32, u32) {
        let bottom = self.y(self.rows.len()) + 2.0 * ROW + KEY.1 + EDGE;
        ((self.right() + EDGE) as u32, bottom as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        self.draw_names(canvas)?;
        for (at, row) in self.rows.iter().enumerate() {
            let (top, middle) = (self.y(at), self.y(at) + ROW / 2.0);
            let name = (self.left - 16.0, middle);
            canvas.text(&row.title, name, TEXT, Align::Right, Turn::None)?;
            for (column, field) in row.fields.iter().enumerate() {
                let x = self.x(column);
                let [color, ink] = match field {
                    Some((_, Some(value))) => self.colors.at(*value),
                    _ => [NOTHING, DARK_TEXT],
                };
                canvas.rectangle(
                    (x + 1.0, top + 1.0),
                    (x + COLUMN - 1.0, top + ROW - 1.0),
                    color,
                )?;
                let text = field.as_ref().map_or("–", |(text, _)| text);
                canvas.text_in(text, (x + COLUMN / 2.0, middle), NUMBER, ink)?;
            }
        }
        self.draw_key(canvas)
    }
}

impl Matrix {
    /// The levels over the columns. Equal levels side by side are named once.
    fn draw_names<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let Some(last) = self.axes.len().checked_sub(1) else {
            return Ok(());
        };
        for (axis, name) in self.axes.iter().enumerate() {
            let top = EDGE + ROW * axis as f64;
            let middle = if axis == last {
                top + self.turned - ROW / 2.0
            } else {
                top + ROW / 2.0
            };
            canvas.text(
                name,
                (self.left - 16.0, middle),
                TEXT,
                Align::Right,
                Turn::None,
            )?;
            let mut column = 0;
            while column < self.columns.len() {
                let same = |other: &Vec<String>| other[..=axis] == self.columns[column][..=axis];
                let rest = self.columns[column..].iter();
                let end = column + rest.take_while(|other| same(other)).count();
                let (from, to) = (self.x(column), self.x(end - 1) + COLUMN);
                let level = &self.columns[column][axis];
                if axis == last {
                    let foot = ((from + to) / 2.0, top + self.turned - 10.0);
                    canvas.text(level, foot, TEXT, Align::Left, Turn::Up)?;
                } else {
                    let place = ((from + to) / 2.0, middle);
                    let size = TEXT * ((to - from - 8.0) / text_width(level, TEXT)).min(1.0);
                    canvas.text(level, place, size, Align::Center, Turn::None)?;
                    let y = top + ROW - 4.0;
                    canvas.line(&[(from + 4.0, y), (to - 4.0, y)], FRAME, 2.0)?;
                }
                column = end;
            }
        }
        Ok(())
    }

    fn draw_key<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let top = self.y(self.rows.len()) + ROW;
        let left = self.left;
        let least = if self.colors.white.is_some() {
            0.0
        } else {
            -1.0
        };
        let steps = 64;
        for step in 0..steps {
            let share = least + (1.0 - least) * (f64::from(step) + 0.5) / f64::from(steps);
            let x = |step: i32| left + KEY.0 * f64::from(step) / f64::from(steps);
            let [color, _] = self.colors.of_share(share);
            canvas.rectangle((x(step), top), (x(step + 1), top + KEY.1), color)?;
        }
        let sign = match self.colors.better {
            Better::More => 1.0,
            Better::Less | Better::NearerZero => -1.0,
        };
        let marks: Vec<(f64, String)> = match self.colors.white {
            Some(white) => [0.0, 1.0]
                .map(|share| (share, two_digits(sign * (white + share * self.colors.full))))
                .to_vec(),
            None => vec![
                (0.0, format!("{:+.2}", -sign * self.colors.full)),
                (0.5, "chance".to_owned()),
                (1.0, format!("{:+.2}", sign * self.colors.full)),
            ],
        };
        for (share, text) in marks {
            let place = (left + KEY.0 * share, top + KEY.1 + ROW / 2.0);
            canvas.text(&text, place, NUMBER, Align::Center, Turn::None)?;
        }
        canvas.line(&[(left, top), (left + KEY.0, top)], GRID, 2.0)?;
        let place = (left + KEY.0 + 40.0, top + KEY.1 / 2.0);
        canvas.text(&self.title, place, TEXT, Align::Left, Turn::None)
    }
}
