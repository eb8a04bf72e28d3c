//! A chart of estimates with their intervals, one row per comparison.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::chart::{Grid, distinct, widest};
use super::page::Page;
use super::scale::{Scale, round_scale};
use super::style::{FRAME, TICK, draw_mark, series_color};
use crate::error::{Error, Result};
use crate::statistics::Interval;
use crate::sweep::declare::analysis::{Estimate, Forest};

/// The height of one estimate, and the space between rows.
const EACH: f64 = 34.0;
const BETWEEN: f64 = 26.0;

/// Estimates with their layout.
pub(super) struct ForestPage<'a> {
    chart: &'a Forest,
    series: Vec<String>,
    scale: Scale,
    grid: Grid,
    /// The height of a row.
    row: f64,
}

impl<'a> ForestPage<'a> {
    /// Lays out a chart that has estimates.
    ///
    /// # Errors
    /// If an estimate names a row that does not exist.
    pub fn of(chart: &'a Forest) -> Result<Self> {
        let estimates = || chart.panels.iter().flat_map(|panel| &panel.estimates);
        if estimates().any(|one| one.row >= chart.rows.len()) {
            return Err(Error::invalid(format!(
                "the chart `{}` has an estimate in a row that is not there",
                chart.heading.name
            )));
        }
        let series = distinct(estimates().map(|one| &one.series));
        let ends = estimates()
            .flat_map(|one| {
                let ends = one.interval.map(|interval| [interval.low, interval.high]);
                [one.value].into_iter().chain(ends.into_iter().flatten())
            })
            .chain([chart.reference]);
        let left = 100.0 + widest(chart.rows.iter(), TICK);
        let row = EACH * series.len() as f64 + BETWEEN;
        let height = row * chart.rows.len() as f64;
        Ok(Self {
            scale: round_scale(ends, 4),
            grid: Grid::of(chart.panels.len(), 4, left, 60.0, height, &series),
            chart,
            series,
            row,
        })
    }

    fn draw_estimate<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        panel: usize,
        one: &Estimate,
    ) -> Result<()> {
        if !one.value.is_finite() {
            return Ok(());
        }
        let series = self.series.iter().position(|name| *name == one.series);
        let series = series.unwrap_or(0);
        let off = series as f64 - (self.series.len() as f64 - 1.0) / 2.0;
        let y = self.grid.corner(panel).1 + self.row * (one.row as f64 + 0.5) + EACH * off;
        let x = |value: f64| self.grid.x(panel, &self.scale, value);
        if let Some(Interval { low, high }) = one.interval {
            let color = series_color(series);
            canvas.line(&[(x(low), y), (x(high), y)], color, 5.0)?;
            for end in [low, high] {
                canvas.line(&[(x(end), y - 9.0), (x(end), y + 9.0)], color, 3.0)?;
            }
        }
        draw_mark(canvas, (x(one.value), y), series)
    }
}

impl Page for ForestPage<'_> {
    fn size(&self) -> (u32, u32) {
        self.grid.size
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        /// The background of every other row.
        const SHADE: RGBColor = RGBColor(245, 245, 245);
        for (index, panel) in self.chart.panels.iter().enumerate() {
            let (x0, y0) = self.grid.corner(index);
            let (width, height) = self.grid.panel;
            for (row, name) in self.chart.rows.iter().enumerate() {
                let y = y0 + self.row * row as f64;
                if row % 2 == 1 {
                    canvas.rectangle((x0, y), (x0 + width, y + self.row), SHADE)?;
                }
                if index % self.grid.columns == 0 {
                    let place = (x0 - 18.0, y + self.row / 2.0);
                    canvas.text(name, place, TICK, Align::Right, Turn::None)?;
                }
            }
            self.grid.draw_x(canvas, index, &self.scale)?;
            let zero = self.grid.x(index, &self.scale, self.chart.reference);
            canvas.line(&[(zero, y0), (zero, y0 + height)], FRAME, 4.0)?;
            self.grid.draw_frame(canvas, index, &panel.title)?;
            panel
                .estimates
                .iter()
                .try_for_each(|one| self.draw_estimate(canvas, index, one))?;
        }
        self.grid.draw_names(canvas, &self.chart.x, "")
    }
}
