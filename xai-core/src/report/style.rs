//! Colours, marks and sizes shared by all figures.

use plotters::prelude::*;

use super::canvas::Canvas;
use crate::error::Result;

/// The font size of a scale's labels.
pub(super) const TICK: f64 = 33.0;
/// The margin of the page.
pub(super) const EDGE: f64 = 28.0;

pub(super) const GRID: RGBColor = RGBColor(222, 222, 222);
pub(super) const FRAME: RGBColor = RGBColor(130, 130, 130);
/// The colour of the chance level.
pub(super) const CHANCE: RGBColor = RGBColor(90, 90, 90);
pub(super) const NEUTRAL: RGBColor = RGBColor(70, 70, 70);

// Okabe and Ito's colours, which can be distinguished with any colour vision.
const YELLOW: RGBColor = RGBColor(240, 228, 66);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const SKY: RGBColor = RGBColor(86, 180, 233);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
const GREY: RGBColor = RGBColor(150, 150, 150);

/// The colour of a reference, by its index in the legend.
pub(super) fn baseline_color(index: usize) -> RGBColor {
    paler([YELLOW, ORANGE, GREEN, VERMILION], index)
}

/// The colour of an outline in a picture, by its index in the legend. Both stand out from grey.
pub(super) fn outline_color(index: usize) -> RGBColor {
    paler([SKY, ORANGE, GREEN, PURPLE], index)
}

/// The colour of a series, by its index in the legend.
pub(super) fn series_color(index: usize) -> RGBColor {
    paler([PURPLE, SKY, BLUE, GREY], index)
}

/// One of four colours. Further indices repeat them, each time mixed with more white.
fn paler(colors: [RGBColor; 4], index: usize) -> RGBColor {
    let keep = 1.0 / (1 + index / 4) as f64;
    let mix = |channel: u8| (255.0 - keep * (255.0 - f64::from(channel))).round() as u8;
    let RGBColor(r, g, b) = colors[index % 4];
    RGBColor(mix(r), mix(g), mix(b))
}

/// A line of accuracies with a dot at each value and a white outline.
pub(super) fn draw_accuracy<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    points: &[(f64, f64)],
    color: RGBColor,
) -> Result<()> {
    canvas.line(points, WHITE, 8.0)?;
    points
        .iter()
        .try_for_each(|&point| canvas.circle(point, 11.0, WHITE))?;
    canvas.line(points, color, 4.0)?;
    points
        .iter()
        .try_for_each(|&point| canvas.circle(point, 9.0, color))
}

/// The mark of a series. Colour and shape both distinguish it from others.
pub(super) fn draw_mark<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    (x, y): (f64, f64),
    series: usize,
) -> Result<()> {
    let color = series_color(series);
    match series % 2 {
        0 => {
            canvas.circle((x, y), 12.0, WHITE)?;
            canvas.circle((x, y), 10.0, color)
        }
        _ => {
            let square = |half: f64, color| {
                canvas.rectangle((x - half, y - half), (x + half, y + half), color)
            };
            square(11.0, WHITE)?;
            square(9.0, color)
        }
    }
}
