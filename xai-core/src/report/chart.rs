//! The common parts of charts: a grid of panels with titles and scales.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::font::text_width;
use super::legend::{Key, Legend};
use super::scale::Scale;
use super::style::{EDGE, FRAME, GRID, TICK};
use crate::error::Result;

// Lengths in pixels of the PNG, as in `layout`.
const WIDTH: f64 = 2600.0;
pub(super) const TITLE: f64 = 36.0;
pub(super) const LABEL: f64 = 36.0;
/// Space for half a label at the border of each of two neighbours.
const GAP: f64 = 92.0;
const TITLE_ROOM: f64 = 78.0;

/// Panels in rows, with a legend above and the titles of the scales at the left and below.
pub(super) struct Grid {
    pub size: (u32, u32),
    pub columns: usize,
    count: usize,
    /// Width and height of a panel.
    pub panel: (f64, f64),
    left: f64,
    top: f64,
    below: f64,
    legend: Legend,
}

impl Grid {
    /// `left` is the space to the left of the panels, and `below` is the space for the labels
    /// under each. At most `most` panels are side by side.
    pub fn of(
        count: usize,
        most: usize,
        left: f64,
        below: f64,
        height: f64,
        series: &[String],
    ) -> Self {
        let count = count.max(1);
        // Full rows first: five panels are arranged as three and two, not as four and one.
        let rows = count.div_ceil(most);
        let columns = count.div_ceil(rows);
        let gaps = (columns - 1) as f64 * GAP;
        let right = 60.0;
        let width = ((WIDTH - left - right - gaps) / columns as f64).min(1300.0);
        let page = left + gaps + columns as f64 * width + right;
        // A single series needs no legend.
        let named = if series.len() > 1 { series } else { &[] };
        let keys = named.iter().enumerate();
        let keys = keys.map(|(i, name)| (Key::Mark(i), name.clone()));
        let legend = Legend::new(keys.collect(), page - 2.0 * EDGE);
        let top = EDGE + legend.height + TITLE_ROOM;
        let each = height + below + TITLE_ROOM;
        let bottom = top + rows as f64 * each - TITLE_ROOM;
        Self {
            size: (page.round() as u32, (bottom + 64.0 + EDGE).round() as u32),
            columns,
            count,
            panel: (width, height),
            left,
            top,
            below,
            legend,
        }
    }

    /// The top left corner of a panel.
    pub fn corner(&self, index: usize) -> (f64, f64) {
        let (column, row) = ((index % self.columns) as f64, (index / self.columns) as f64);
        (
            self.left + column * (self.panel.0 + GAP),
            self.top + row * (self.panel.1 + self.below + TITLE_ROOM),
        )
    }

    /// The legend, and the titles of the x and y axes.
    pub fn draw_names<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        x: &str,
        y: &str,
    ) -> Result<()> {
        let (page, bottom) = (f64::from(self.size.0), f64::from(self.size.1));
        self.legend.draw(canvas, EDGE, page)?;
        let last = self.corner(self.count - 1).1 + self.panel.1;
        let middle = (self.left + page - 60.0) / 2.0;
        let under = (middle, bottom - EDGE - 24.0);
        canvas.text(x, under, LABEL, Align::Center, Turn::None)?;
        let beside = (46.0, (self.top + last) / 2.0);
        canvas.text(y, beside, LABEL, Align::Center, Turn::Up)
    }

    /// The outline of a panel and its title.
    pub fn draw_frame<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        index: usize,
        title: &str,
    ) -> Result<()> {
        let ((x0, y0), (width, height)) = (self.corner(index), self.panel);
        let (x1, y1) = (x0 + width, y0 + height);
        let corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
        for side in corners.windows(2) {
            canvas.line(side, FRAME, 2.0)?;
        }
        let over = (x0 + width / 2.0, y0 - 36.0);
        canvas.text(title, over, TITLE, Align::Center, Turn::None)
    }

    /// The x of a value in a panel. Values outside the scale are placed at its end.
    pub fn x(&self, index: usize, scale: &Scale, value: f64) -> f64 {
        self.corner(index).0 + self.panel.0 * scale.place(value).clamp(0.0, 1.0)
    }

    /// Grid lines at the ticks of the x scale, and their labels. Labels that would overlap with
    /// those of the next panel are left out.
    pub fn draw_x<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        index: usize,
        scale: &Scale,
    ) -> Result<()> {
        let (x0, y0) = self.corner(index);
        let y1 = y0 + self.panel.1;
        for tick in scale.ticks() {
            let x = self.x(index, scale, tick);
            canvas.line(&[(x, y0), (x, y1)], GRID, 2.0)?;
            let label = scale.label(tick);
            let half = text_width(&label, TICK) / 2.0;
            let [left, right] = [x - half - x0, x + half - x0 - self.panel.0];
            if self.columns == 1 || left.min(-right) > 8.0 - GAP / 2.0 {
                canvas.text(&label, (x, y1 + 34.0), TICK, Align::Center, Turn::None)?;
            }
        }
        Ok(())
    }
}

/// The names in order of first appearance.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(name) {
            seen.push(name.clone());
        }
    }
    seen
}

/// The widest of the texts, in pixels.
pub(super) fn widest<'a>(texts: impl Iterator<Item = &'a String>, size: f64) -> f64 {
    texts.map(|text| text_width(text, size)).fold(0.0, f64::max)
}
