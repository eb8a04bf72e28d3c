//! A thin layer over plotters: coordinates in pixels of the finished figure, one font, one error.

use std::cell::RefCell;

use ndarray::Array2;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::font::{HALF_CAPITAL, text_pixels, text_width};
use super::heat_color::Rgb;
use super::png_file::{Pixels, address, png};
use crate::error::{Error, Result};

/// The fonts that an SVG requests, in order of preference. The first is the one used for measuring.
const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// Who renders the letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// The viewer of the file: texts remain texts.
    Viewer,
    /// This program: texts become pixels.
    Pixels,
}

/// Which point of a text lies at the given position. Vertically, it is always the middle of its
/// capitals.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// The direction of a text.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    None,
    /// From bottom to top.
    Up,
    /// From top to bottom.
    Down,
}

/// The text that stands for a picture in an SVG while it is drawn. Plotters can write pictures itself, but only with
/// a library for files of all kinds, which takes longer to compile than the rest of Plotters.
pub(super) fn place_of_picture(number: usize) -> String {
    // Characters that no text of a figure contains.
    format!("\u{E000}{number}\u{E001}")
}

/// A white page to draw on, in pixels from the top left.
pub(super) struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    scale: f64,
    letters: Letters,
    /// The pictures of an SVG, as elements. In the drawing, [`place_of_picture`] stands for each.
    pictures: RefCell<Vec<String>>,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// A page on a backend with `scale` times as many pixels in each direction as the finished
    /// figure.
    pub fn new(backend: DB, scale: u32, letters: Letters) -> Result<Self> {
        let area = backend.into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        Ok(Self {
            area,
            scale: f64::from(scale),
            letters,
            pictures: RefCell::default(),
        })
    }

    /// A filled rectangle.
    pub fn rectangle(
        &self,
        (x0, y0): (f64, f64),
        (x1, y1): (f64, f64),
        color: RGBColor,
    ) -> Result<()> {
        let corners = [self.pixel(x0, y0), self.pixel(x1, y1)];
        self.area
            .draw(&Rectangle::new(corners, color.filled()))
            .map_err(failed)
    }

    /// A line through points.
    pub fn line(&self, points: &[(f64, f64)], color: RGBColor, width: f64) -> Result<()> {
        let points: Vec<(i32, i32)> = points.iter().map(|&(x, y)| self.pixel(x, y)).collect();
        let style = color.stroke_width((width * self.scale).round() as u32);
        self.area
            .draw(&PathElement::new(points, style))
            .map_err(failed)
    }

    /// A dashed horizontal line.
    pub fn dashes(&self, (x0, x1): (f64, f64), y: f64, color: RGBColor, width: f64) -> Result<()> {
        let (dash, gap) = (14.0, 10.0);
        let mut x = x0;
        while x < x1 {
            self.line(&[(x, y), ((x + dash).min(x1), y)], color, width)?;
            x += dash + gap;
        }
        Ok(())
    }

    /// A filled circle.
    pub fn circle(&self, (x, y): (f64, f64), radius: f64, color: RGBColor) -> Result<()> {
        let circle = Circle::new(self.pixel(x, y), self.scaled(radius), color.filled());
        self.area.draw(&circle).map_err(failed)
    }

    /// A picture whose pixels are drawn as squares of `side`.
    pub fn picture(&self, (x, y): (f64, f64), colors: &Array2<Rgb>, side: f64) -> Result<()> {
        let each = self.scaled(side).max(1) as usize;
        let (width, height) = (each * colors.ncols(), each * colors.nrows());
        let mut pixels = Vec::with_capacity(3 * width * height);
        for row in 0..height {
            for column in 0..width {
                pixels.extend(colors[(row / each, column / each)]);
            }
        }
        let size = (width as u32, height as u32);
        let place = self.pixel(x, y);
        if self.letters == Letters::Pixels {
            let picture = BitMapElement::with_owned_buffer(place, size, pixels);
            let picture = picture.expect("there are as many pixels as the size says");
            return self.area.draw(&picture).map_err(failed);
        }
        let (left, top) = place;
        let address = address(&png(&pixels, size, Pixels::Rgb)?);
        let mut pictures = self.pictures.borrow_mut();
        let text = place_of_picture(pictures.len());
        pictures.push(format!(
            "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" href=\"{address}\"/>"
        ));
        let style = TextStyle::from((FAMILY, self.scale));
        self.area
            .draw(&Text::new(text, place, style))
            .map_err(failed)
    }

    /// A black text. `size` is the font size (em).
    pub fn text(
        &self,
        text: &str,
        place: (f64, f64),
        size: f64,
        align: Align,
        turn: Turn,
    ) -> Result<()> {
        self.text_of(text, place, size, (align, turn), BLACK)
    }

    /// A centred text in a colour that dark pages leave as it is, unless it is black.
    pub fn text_in(&self, text: &str, place: (f64, f64), size: f64, color: RGBColor) -> Result<()> {
        self.text_of(text, place, size, (Align::Center, Turn::None), color)
    }

    fn text_of(
        &self,
        text: &str,
        place: (f64, f64),
        size: f64,
        how: (Align, Turn),
        color: RGBColor,
    ) -> Result<()> {
        match self.letters {
            Letters::Viewer => self.text_by_viewer(text, place, size, how, color),
            Letters::Pixels => self.text_by_pixels(text, place, size, how, color),
        }
    }

    fn text_by_viewer(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        (align, turn): (Align, Turn),
        color: RGBColor,
    ) -> Result<()> {
        // Plotters requests a baseline half an x-height below the given point, which is 0.27 em in
        // DejaVu Sans.
        let drop = (HALF_CAPITAL - 0.27) * size;
        let (transform, place) = match turn {
            Turn::None => (FontTransform::None, self.pixel(x, y + drop)),
            Turn::Up => (FontTransform::Rotate270, self.pixel(x + drop, y)),
            Turn::Down => (FontTransform::Rotate90, self.pixel(x - drop, y)),
        };
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        // Plotters' size of a font is 1.24 em.
        let font = (FAMILY, size * self.scale * 1.24)
            .into_font()
            .transform(transform);
        let style = TextStyle::from(font)
            .color(&color)
            .pos(Pos::new(horizontal, VPos::Center));
        self.area
            .draw(&Text::new(text, place, style))
            .map_err(failed)
    }

    fn text_by_pixels(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        (align, turn): (Align, Turn),
        color: RGBColor,
    ) -> Result<()> {
        let size = size * self.scale;
        let start = match align {
            Align::Left => 0.0,
            Align::Center => -text_width(text, size) / 2.0,
            Align::Right => -text_width(text, size),
        };
        let (start, drop) = (start.round() as i32, (HALF_CAPITAL * size).round() as i32);
        let (x0, y0) = self.pixel(x, y);
        let mut drawn = Ok(());
        text_pixels(text, size, |along, down, cover| {
            let (along, down) = (along + start, down + drop);
            let place = match turn {
                Turn::None => (x0 + along, y0 + down),
                Turn::Up => (x0 + down, y0 - along),
                Turn::Down => (x0 - down, y0 + along),
            };
            if drawn.is_ok() {
                drawn = self.area.draw_pixel(place, &color.mix(cover));
            }
        });
        drawn.map_err(failed)
    }

    /// Finishes the drawing. Returns the elements of the pictures of an SVG.
    pub fn finish(self) -> Result<Vec<String>> {
        self.area.present().map_err(failed)?;
        Ok(self.pictures.take())
    }

    fn pixel(&self, x: f64, y: f64) -> (i32, i32) {
        (self.scaled(x), self.scaled(y))
    }

    fn scaled(&self, length: f64) -> i32 {
        (length * self.scale).round() as i32
    }
}

pub(super) fn failed(problem: impl std::error::Error) -> Error {
    Error::invalid(format!("the figure cannot be drawn: {problem}"))
}
