//! A thin layer over plotters: pixels, one font, one error.

use std::sync::LazyLock;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};

use crate::error::{Error, Result};

/// What the SVG asks the viewer for, in order of preference. The PNG, and all measuring of text, uses
/// the embedded DejaVu Sans, which is registered under this name.
const FONT: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

static FONT_IS_VALID: LazyLock<bool> = LazyLock::new(|| {
    let bytes = include_bytes!("../../assets/font/DejaVuSans-subset.ttf");
    register_font(FONT, FontStyle::Normal, bytes).is_ok()
});

/// Which point of a text lies at the given place; vertically it is always the middle of its capitals.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Which way a text runs.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    None,
    /// From bottom to top.
    Up,
    /// From top to bottom.
    Down,
}

/// A white page to draw on, in pixels from the top left.
pub(super) struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    drop: f64,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// A page over a backend. Plotters' backends put the middle of a text at different heights;
    /// `drop` is how far, in parts of the font size, one's texts must go down to stand right.
    pub fn new(backend: DB, drop: f64) -> Result<Self> {
        if !*FONT_IS_VALID {
            return Err(Error::invalid(
                "the embedded font of the figures is damaged; rebuild the program",
            ));
        }
        let area = backend.into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        Ok(Self { area, drop })
    }

    /// A filled rectangle.
    pub fn rectangle(
        &self,
        (x0, y0): (f64, f64),
        (x1, y1): (f64, f64),
        color: RGBColor,
    ) -> Result<()> {
        let corners = [pixel(x0, y0), pixel(x1, y1)];
        self.area
            .draw(&Rectangle::new(corners, color.filled()))
            .map_err(failed)
    }

    /// A line through points.
    pub fn line(&self, points: &[(f64, f64)], color: RGBColor, width: u32) -> Result<()> {
        let points: Vec<(i32, i32)> = points.iter().map(|&(x, y)| pixel(x, y)).collect();
        let style = color.stroke_width(width);
        self.area
            .draw(&PathElement::new(points, style))
            .map_err(failed)
    }

    /// A dashed horizontal line.
    pub fn dashes(&self, (x0, x1): (f64, f64), y: f64, color: RGBColor, width: u32) -> Result<()> {
        let (dash, gap) = (14.0, 10.0);
        let mut x = x0;
        while x < x1 {
            self.line(&[(x, y), ((x + dash).min(x1), y)], color, width)?;
            x += dash + gap;
        }
        Ok(())
    }

    /// A filled circle.
    pub fn circle(&self, (x, y): (f64, f64), radius: i32, color: RGBColor) -> Result<()> {
        let circle = Circle::new(pixel(x, y), radius, color.filled());
        self.area.draw(&circle).map_err(failed)
    }

    /// A black text.
    pub fn text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        align: Align,
        turn: Turn,
    ) -> Result<()> {
        let drop = self.drop * size;
        let (transform, place) = match turn {
            Turn::None => (FontTransform::None, pixel(x, y + drop)),
            Turn::Up => (FontTransform::Rotate270, pixel(x + drop, y)),
            Turn::Down => (FontTransform::Rotate90, pixel(x - drop, y)),
        };
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let style = TextStyle::from((FONT, size).into_font().transform(transform))
            .pos(Pos::new(horizontal, VPos::Center));
        self.area
            .draw(&Text::new(text, place, style))
            .map_err(failed)
    }

    /// Finishes the file.
    pub fn finish(self) -> Result<()> {
        self.area.present().map_err(failed)
    }
}

/// The width of a text in pixels, in the embedded font.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    // The font is there from the first canvas on; without one nothing can be drawn anyway.
    let known = *FONT_IS_VALID;
    match (FONT, size).into_font().box_size(text) {
        Ok((width, _)) if known => f64::from(width),
        _ => 0.0,
    }
}

fn pixel(x: f64, y: f64) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn failed(problem: impl std::error::Error) -> Error {
    Error::invalid(format!("the figure cannot be drawn: {problem}"))
}
