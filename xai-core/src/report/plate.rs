//! A plate of pictures with outlines, such as Figures 1 and 2 of the paper.

use ndarray::Array2;
use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::font::text_width;
use super::outline::{Pen, draw_outline};
use super::page::Page;
use super::style::outline_color;
use crate::error::Result;

// Lengths in pixels of the PNG.
const TEXT: f64 = 30.0;
const EDGE: f64 = 24.0;
const GAP: f64 = 16.0;
/// The room for a row's label, a picture's title, and the legend.
const LABEL: f64 = 56.0;
const TITLE: f64 = 52.0;
const LEGEND: f64 = 64.0;
/// The side of a picture's pixel, and the width of an outline.
const PIXEL: f64 = 2.0;
const OUTLINE: f64 = 3.0;

/// Pictures in rows.
pub struct Plate {
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// The outlined things, each with its own colour. The legend names those that appear in some
    /// picture.
    pub outlined: Vec<String>,
}

/// Pictures side by side.
pub struct Row {
    /// What the row shows, at its left.
    pub label: String,
    /// From left to right; all of one height.
    pub pictures: Vec<Picture>,
}

/// A grey image with outlines.
pub struct Picture {
    /// The title above it. May be empty.
    pub title: String,
    /// 0 is black, 1 is white.
    pub grey: Array2<f32>,
    /// Indices into [`Plate::outlined`], each with a mask in the picture's shape.
    pub outlines: Vec<(usize, Array2<bool>)>,
}

impl Picture {
    /// A picture without outlines.
    pub fn new(title: impl Into<String>, grey: Array2<f32>) -> Self {
        Self {
            title: title.into(),
            grey,
            outlines: Vec::new(),
        }
    }

    /// Adds an outline: its index in [`Plate::outlined`], and the mask.
    #[must_use]
    pub fn outlined(mut self, what: usize, mask: Array2<bool>) -> Self {
        self.outlines.push((what, mask));
        self
    }

    fn width(&self) -> f64 {
        PIXEL * self.grey.ncols() as f64
    }
}

impl Row {
    fn width(&self) -> f64 {
        let pictures: f64 = self
            .pictures
            .iter()
            .map(|picture| GAP + picture.width())
            .sum();
        pictures - GAP
    }

    /// The height above the pictures, and the height including them.
    fn heights(&self) -> (f64, f64) {
        let titled = self
            .pictures
            .iter()
            .any(|picture| !picture.title.is_empty());
        let title = if titled { TITLE } else { 0.0 };
        let rows = self.pictures.iter().map(|picture| picture.grey.nrows());
        (title, title + PIXEL * rows.max().unwrap_or(0) as f64)
    }
}

impl Plate {
    /// The colour and name of everything that is outlined in some picture.
    fn keys(&self) -> Vec<(RGBColor, &str)> {
        let pictures = self.rows.iter().flat_map(|row| &row.pictures);
        let shown: Vec<usize> = pictures
            .flat_map(|picture| picture.outlines.iter().map(|&(what, _)| what))
            .collect();
        let names = self.outlined.iter().enumerate();
        names
            .filter(|(at, _)| shown.contains(at))
            .map(|(at, name)| (outline_color(at), name.as_str()))
            .collect()
    }

    fn draw_legend<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, y: f64) -> Result<()> {
        let key = 44.0;
        let entries: Vec<(RGBColor, &str, f64)> = self
            .keys()
            .into_iter()
            .map(|(color, name)| (color, name, key + 14.0 + text_width(name, TEXT)))
            .collect();
        let apart = 56.0;
        let all: f64 = entries.iter().map(|entry| entry.2 + apart).sum::<f64>() - apart;
        let mut x = (f64::from(self.size().0) - all) / 2.0;
        for (color, name, width) in entries {
            canvas.rectangle((x, y - 3.0), (x + key, y + 3.0), color)?;
            canvas.text(name, (x + key + 14.0, y), TEXT, Align::Left, Turn::None)?;
            x += width + apart;
        }
        Ok(())
    }
}

impl Page for Plate {
    fn size(&self) -> (u32, u32) {
        let widest = self.rows.iter().map(Row::width).fold(0.0, f64::max);
        let rows: f64 = self.rows.iter().map(|row| GAP + row.heights().1).sum();
        let legend = if self.keys().is_empty() { 0.0 } else { LEGEND };
        let (width, height) = (LABEL + widest + EDGE, EDGE + rows - GAP + legend + EDGE);
        (width.round() as u32, height.round() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let mut y = EDGE;
        for row in &self.rows {
            let (title, height) = row.heights();
            let middle = y + (title + height) / 2.0;
            canvas.text(&row.label, (EDGE, middle), TEXT, Align::Center, Turn::Up)?;
            let mut x = LABEL;
            for picture in &row.pictures {
                let over = (x + picture.width() / 2.0, y + title / 2.0);
                canvas.text(&picture.title, over, TEXT, Align::Center, Turn::None)?;
                let corner = (x, y + title);
                let grey = picture
                    .grey
                    .mapv(|v| [(v.clamp(0.0, 1.0) * 255.0).round() as u8; 3]);
                canvas.picture(corner, &grey, PIXEL)?;
                for (what, mask) in &picture.outlines {
                    let pen = Pen {
                        pixel: PIXEL,
                        width: OUTLINE,
                        color: outline_color(*what),
                    };
                    draw_outline(canvas, corner, mask, pen)?;
                }
                x += picture.width() + GAP;
            }
            y += height + GAP;
        }
        self.draw_legend(canvas, y - GAP + LEGEND / 2.0 + 6.0)
    }
}
