//! Draws the figure.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::figure::{Figure, ImageBox, Panel};
use super::layout::{Layout, baseline_places};
use super::page::Page;
use super::scale::Scale;
use super::style::{self, EDGE, FRAME, GRID, TICK};
use crate::error::Result;

// Lengths in pixels of the PNG, as in `layout`.
const TITLE: f64 = 38.0;
const LABEL: f64 = 36.0;
/// The number of images at a box.
const IMAGES: f64 = 22.0;

const INK: RGBColor = RGBColor(40, 40, 40);
/// Like `INK`, but for the colour of a box, which is the same on dark pages.
const MEDIAN: RGBColor = RGBColor(41, 40, 40);

/// Box plots with their layout.
pub(super) struct BoxPlots<'a> {
    figure: &'a Figure,
    layout: Layout,
}

impl<'a> BoxPlots<'a> {
    pub fn of(figure: &'a Figure) -> Self {
        Self {
            figure,
            layout: Layout::of(figure),
        }
    }
}

impl Page for BoxPlots<'_> {
    fn size(&self) -> (u32, u32) {
        self.layout.size
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        draw(self.figure, &self.layout, canvas)
    }
}

fn draw<DB: DrawingBackend>(figure: &Figure, layout: &Layout, canvas: &Canvas<DB>) -> Result<()> {
    layout.legend.draw(canvas, EDGE, f64::from(layout.size.0))?;
    for (index, panel) in figure.panels.iter().enumerate() {
        let count = figure.panels.len();
        let frame = Frame {
            figure,
            layout,
            corner: layout.corner(index),
        };
        frame.draw_grid(canvas)?;
        frame.draw_panel(canvas, panel)?;
        frame.draw_outline(canvas)?;
        if index % layout.columns == 0 {
            frame.draw_scale(canvas, &figure.left, -14.0, Align::Right)?;
        }
        // Beside the last panel of a shorter row stand the labels of the panel above.
        if index % layout.columns == layout.columns - 1 {
            frame.draw_scale(canvas, &figure.right, layout.panel.0 + 14.0, Align::Left)?;
        }
        if index + layout.columns >= count {
            frame.draw_ticks(canvas)?;
        }
    }
    draw_side(canvas, layout, &figure.y_title, 46.0, Turn::Up)?;
    let right = f64::from(layout.size.0) - 46.0;
    draw_side(canvas, layout, figure.quality.of_scale(), right, Turn::Down)
}

/// The title of a scale along the side of the figure.
fn draw_side<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    layout: &Layout,
    text: &str,
    x: f64,
    turn: Turn,
) -> Result<()> {
    canvas.text(text, (x, layout.middle()), LABEL, Align::Center, turn)
}

/// The position of one panel on the page.
struct Frame<'a> {
    figure: &'a Figure,
    layout: &'a Layout,
    corner: (f64, f64),
}

impl Frame<'_> {
    /// The y of a value. Values outside the scale are placed at its end.
    fn y(&self, scale: &Scale, value: f64) -> f64 {
        let (_, height) = self.layout.panel;
        self.corner.1 + height * (1.0 - scale.place(value).clamp(0.0, 1.0))
    }

    /// The x of the centre of a reference.
    fn baseline_x(&self, baseline: usize) -> f64 {
        self.corner.0 + self.layout.place * (baseline as f64 + 1.0)
    }

    /// The x of the centre of a tick.
    fn tick_x(&self, tick: usize) -> f64 {
        let each = self.figure.series.len() as f64 + 1.0;
        let places = baseline_places(self.figure) + each * (tick as f64 + 0.5);
        self.corner.0 + self.layout.place * places
    }

    /// The x of the centre of a series' box at a tick.
    fn box_x(&self, tick: usize, series: usize) -> f64 {
        let off_center = series as f64 - (self.figure.series.len() as f64 - 1.0) / 2.0;
        self.tick_x(tick) + self.layout.place * off_center
    }

    fn draw_grid<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let ((x0, y0), (width, height)) = (self.corner, self.layout.panel);
        let (x1, y1) = (x0 + width, y0 + height);
        for tick in self.figure.left.ticks() {
            let y = self.y(&self.figure.left, tick);
            canvas.line(&[(x0, y), (x1, y)], GRID, 2.0)?;
        }
        if !self.figure.baselines.is_empty() {
            let x = x0 + self.layout.place * (baseline_places(self.figure));
            canvas.line(&[(x, y0), (x, y1)], GRID, 2.0)?;
        }
        if let Some(chance) = self.figure.chance {
            canvas.dashes(
                (x0, x1),
                self.y(&self.figure.left, chance),
                style::CHANCE,
                3.0,
            )?;
        }
        Ok(())
    }

    fn draw_outline<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let ((x0, y0), (width, height)) = (self.corner, self.layout.panel);
        let (x1, y1) = (x0 + width, y0 + height);
        let outline = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
        outline
            .windows(2)
            .try_for_each(|side| canvas.line(side, FRAME, 2.0))
    }

    fn draw_panel<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> Result<()> {
        let title = (
            self.corner.0 + self.layout.panel.0 / 2.0,
            self.corner.1 - 36.0,
        );
        canvas.text(&panel.title, title, TITLE, Align::Center, Turn::None)?;
        for (i, one) in panel.baselines.iter().enumerate() {
            self.draw_box(canvas, one, self.baseline_x(i), style::baseline_color(i))?;
        }
        for (tick, boxes) in panel.boxes.iter().enumerate() {
            for (i, one) in boxes.iter().enumerate() {
                self.draw_box(canvas, one, self.box_x(tick, i), style::series_color(i))?;
            }
        }
        // The accuracy is drawn last. A line with a white outline is readable across boxes of its
        // own colour.
        for (i, series) in self.figure.series.iter().enumerate() {
            let known = series.quality.iter().enumerate();
            let points: Vec<(f64, f64)> = known
                .filter_map(|(tick, &value)| {
                    let value = value.filter(|value| value.is_finite())?;
                    Some((self.tick_x(tick), self.y(&self.figure.right, value)))
                })
                .collect();
            style::draw_accuracy(canvas, &points, style::series_color(i))?;
        }
        Ok(())
    }

    fn draw_box<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        one: &Option<ImageBox>,
        x: f64,
        color: RGBColor,
    ) -> Result<()> {
        let Some(ImageBox {
            summary,
            images,
            chance,
            ..
        }) = one
        else {
            return Ok(());
        };
        if self.figure.images_differ {
            let below = (x, self.corner.1 + self.layout.panel.1 - 14.0);
            canvas.text(&images.to_string(), below, IMAGES, Align::Left, Turn::Up)?;
        }
        let y = |value| self.y(&self.figure.left, value);
        let half = (0.38 * self.layout.place).min(45.0);
        for (whisker, edge) in [
            (summary.lower_whisker, summary.lower_quartile),
            (summary.upper_whisker, summary.upper_quartile),
        ] {
            canvas.line(&[(x, y(whisker)), (x, y(edge))], INK, 2.0)?;
            let cap = [(x - half / 2.0, y(whisker)), (x + half / 2.0, y(whisker))];
            canvas.line(&cap, INK, 2.0)?;
        }
        let (top, bottom) = (y(summary.upper_quartile), y(summary.lower_quartile));
        // If all values are equal, a little of the colour must still be visible.
        let thicker = ((8.0 - (bottom - top)) / 2.0).max(0.0);
        canvas.rectangle(
            (x - half, top - thicker),
            (x + half, bottom + thicker),
            color,
        )?;
        let median = y(summary.median);
        // A flat box must show its colour beside the line.
        let width = if bottom - top < 24.0 { 2.0 } else { 4.0 };
        canvas.line(&[(x - half, median), (x + half, median)], MEDIAN, width)?;
        if let Some(chance) = *chance {
            let half = self.layout.place / 2.0;
            canvas.dashes((x - half, x + half), y(chance), style::CHANCE, 3.0)?;
        }
        Ok(())
    }

    /// The labels of a scale at a distance from the panel's left edge.
    fn draw_scale<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        scale: &Scale,
        x: f64,
        align: Align,
    ) -> Result<()> {
        scale.ticks().try_for_each(|tick| {
            let place = (self.corner.0 + x, self.y(scale, tick));
            canvas.text(&scale.label(tick), place, TICK, align, Turn::None)
        })
    }

    /// The labels under a panel, and the title of the axis below them.
    fn draw_ticks<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let bottom = self.corner.1 + self.layout.panel.1;
        let (room, turned) = self.layout.labels;
        for (i, tick) in self.figure.ticks.iter().enumerate() {
            let x = self.tick_x(i);
            if turned {
                canvas.text(tick, (x, bottom + 16.0), TICK, Align::Right, Turn::Up)?
            } else {
                canvas.text(tick, (x, bottom + 34.0), TICK, Align::Center, Turn::None)?
            }
        }
        let last = self.figure.ticks.len() - 1;
        let middle = (self.tick_x(0) + self.tick_x(last)) / 2.0;
        canvas.text(
            &self.figure.x_title,
            (middle, bottom + room + 28.0),
            LABEL,
            Align::Center,
            Turn::None,
        )
    }
}
