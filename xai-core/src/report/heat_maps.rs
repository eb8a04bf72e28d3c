//! Heat maps side by side, such as Figure 3 of the paper: one row per method, one column per
//! network, in blocks.

use ndarray::{Array2, Zip};
use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::font::text_width;
use super::heat_color::{Rgb, colors, largest, shades_up_to};
use super::outline::{Pen, draw_outline};
use super::page::Page;
use super::table::{decimals, wrapped};
use crate::attribution::Shown;
use crate::attribution::methods::method_title;
use crate::error::{Error, Result};
use crate::metrics;
use crate::sweep::declare::analysis::HeatMaps;

// Lengths in pixels of the PNG.
const TEXT: f64 = 30.0;
const LINE: f64 = 36.0;
const EDGE: f64 = 28.0;
const GAP: f64 = 8.0;
const BLOCK_GAP: f64 = 40.0;
/// The approximate side of a map. Each pixel of a map covers a whole number of the figure's pixels.
const MAP: f64 = 216.0;
const OUTLINE: f64 = 2.0;
/// The brightness of the image under a map.
const UNDER: f64 = 0.45;

/// A figure of heat maps, before any pixel is drawn.
pub(super) struct HeatMapsPage<'a> {
    figure: &'a HeatMaps,
    methods: Vec<&'a str>,
    /// Width and height of a map in its own pixels.
    shape: (usize, usize),
    /// The side of such a pixel in the figure.
    pixel: f64,
    /// The room for the methods' names.
    left: f64,
}

impl<'a> HeatMapsPage<'a> {
    /// Arranges a figure that has maps.
    ///
    /// # Errors
    /// If the images differ in size.
    pub fn of(figure: &'a HeatMaps) -> Result<Self> {
        let methods = methods(figure);
        let mut shapes = images(figure).map(|image| image.pixels.dim());
        let (height, width) = shapes.next().unwrap_or_default();
        if shapes.any(|other| other != (height, width)) {
            return Err(Error::invalid(format!(
                "the images of the figure `{}` differ in size; show images of one size",
                figure.heading.name
            )));
        }
        let titles = methods
            .iter()
            .flat_map(|method| wrapped(&method_title(method)));
        let widest = titles
            .map(|line| text_width(&line, TEXT))
            .fold(0.0, f64::max);
        Ok(Self {
            figure,
            methods,
            shape: (width, height),
            pixel: (MAP / width as f64).round().max(1.0),
            left: EDGE + widest + 20.0,
        })
    }

    /// Width and height of a map in the figure.
    fn map(&self) -> (f64, f64) {
        let (width, height) = self.shape;
        (self.pixel * width as f64, self.pixel * height as f64)
    }

    /// The room over the maps, for the titles of blocks and columns.
    fn top(&self) -> f64 {
        let titled = self
            .figure
            .blocks
            .iter()
            .any(|block| !block.title.is_empty());
        EDGE + if titled { 2.0 } else { 1.0 } * 52.0
    }
}

/// Whether a figure has no map.
pub(super) fn is_empty(figure: &HeatMaps) -> bool {
    images(figure).all(|image| image.maps.is_empty() || image.pixels.is_empty())
}

fn images(figure: &HeatMaps) -> impl Iterator<Item = &Shown> {
    let columns = figure.blocks.iter().flat_map(|block| &block.columns);
    columns.map(|column| &column.image)
}

/// The largest absolute value of a method's maps.
fn of_all(figure: &HeatMaps, method: &str) -> f32 {
    let maps = images(figure).filter_map(|image| image.map(method));
    maps.map(|map| largest(map.view())).fold(0.0, f32::max)
}

/// The methods in order of first appearance.
fn methods(figure: &HeatMaps) -> Vec<&str> {
    let mut methods: Vec<&str> = Vec::new();
    for (method, _) in images(figure).flat_map(|image| &image.maps) {
        if !methods.contains(&method.as_str()) {
            methods.push(method);
        }
    }
    methods
}

/// The figure as rows of a table: one row per map, with its score.
pub(super) fn rows(figure: &HeatMaps) -> Result<Vec<Vec<String>>> {
    let metric = metrics::named(&figure.metric)?;
    let header = ["block", "column", "method", "image", &figure.metric];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for block in &figure.blocks {
        for column in &block.columns {
            let image = &column.image;
            for (method, map) in &image.maps {
                let score = metric.score(map.view(), image.truth.view())?;
                rows.push(vec![
                    block.title.clone(),
                    column.title.clone(),
                    method.clone(),
                    image.index.to_string(),
                    score.map_or(String::new(), decimals),
                ]);
            }
        }
    }
    Ok(rows)
}

/// The image, darkened, with the map over it as light ("screen"), brightest at `largest`.
fn blended(image: &Shown, map: &Array2<f32>, largest: f32) -> Array2<Rgb> {
    let colors = colors();
    Zip::from(&image.pixels)
        .and(&shades_up_to(map.view(), largest))
        .map_collect(|&grey, &shade| {
            let under = UNDER * f64::from(grey.clamp(0.0, 1.0));
            colors[usize::from(shade)].map(|part| {
                let light = f64::from(part) / 255.0;
                (255.0 * (1.0 - (1.0 - under) * (1.0 - light))).round() as u8
            })
        })
}

impl Page for HeatMapsPage<'_> {
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.map();
        let columns = images(self.figure).count() as f64;
        let blocks = self.figure.blocks.len() as f64;
        let across = columns * (width + GAP) + (blocks - 1.0) * (BLOCK_GAP - GAP) - GAP;
        let down = self.methods.len() as f64 * (height + GAP) - GAP;
        let size = (self.left + across + EDGE, self.top() + down + EDGE);
        (size.0.round() as u32, size.1.round() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let (width, height) = self.map();
        let row = |at: usize| self.top() + at as f64 * (height + GAP);
        for (at, method) in self.methods.iter().enumerate() {
            let lines = wrapped(&method_title(method));
            let first = row(at) + height / 2.0 - LINE * (lines.len() - 1) as f64 / 2.0;
            for (number, line) in lines.iter().enumerate() {
                let place = (self.left - 20.0, first + LINE * number as f64);
                canvas.text(line, place, TEXT, Align::Right, Turn::None)?;
            }
        }
        let pen = Pen {
            pixel: self.pixel,
            width: OUTLINE,
            color: RGBColor(254, 254, 254), // white on dark pages, too
        };
        let of_row: Vec<Option<f32>> = (self.methods.iter())
            .map(|method| self.figure.one_scale.then(|| of_all(self.figure, method)))
            .collect();
        let mut x = self.left;
        for block in &self.figure.blocks {
            let across = block.columns.len() as f64 * (width + GAP) - GAP;
            let over = (x + across / 2.0, EDGE + 22.0);
            canvas.text(&block.title, over, TEXT + 4.0, Align::Center, Turn::None)?;
            for column in &block.columns {
                let over = (x + width / 2.0, self.top() - 26.0);
                canvas.text(&column.title, over, TEXT, Align::Center, Turn::None)?;
                for (at, method) in self.methods.iter().enumerate() {
                    let Some(map) = column.image.map(method) else {
                        continue;
                    };
                    let corner = (x, row(at));
                    let most = of_row[at].unwrap_or_else(|| largest(map.view()));
                    canvas.picture(corner, &blended(&column.image, map, most), self.pixel)?;
                    draw_outline(canvas, corner, &column.image.truth, pen)?;
                }
                x += width + GAP;
            }
            x += BLOCK_GAP - GAP;
        }
        Ok(())
    }
}
