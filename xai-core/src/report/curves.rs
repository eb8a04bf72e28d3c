//! A chart of points and lines.

use plotters::prelude::*;

use super::canvas::{Align, Canvas, Turn};
use super::chart::{Grid, distinct, widest};
use super::page::Page;
use super::scale::{Scale, logarithmic_scale, round_scale};
use super::style::{GRID, TICK, draw_mark, series_color};
use crate::error::Result;
use crate::sweep::declare::analysis::Curves;

/// Curves with their layout.
pub(super) struct CurvesPage<'a> {
    chart: &'a Curves,
    series: Vec<String>,
    scales: [Scale; 2],
    grid: Grid,
}

impl<'a> CurvesPage<'a> {
    /// Lays out a chart that has [points].
    pub fn of(chart: &'a Curves) -> Self {
        let curves = || chart.panels.iter().flat_map(|panel| &panel.curves);
        let points = || points(chart);
        let series = distinct(curves().map(|curve| &curve.series));
        let scales = [0, 1].map(|axis| {
            let values = points().map(|point| point[axis]);
            if chart.logarithmic {
                logarithmic_scale(values, 6)
            } else {
                round_scale(values, 5)
            }
        });
        let labels: Vec<String> = scales[1]
            .ticks()
            .map(|tick| scales[1].label(tick))
            .collect();
        let left = 96.0 + widest(labels.iter(), TICK);
        let grid = Grid::of(chart.panels.len(), 4, left, 60.0, 520.0, &series);
        Self {
            chart,
            series,
            scales,
            grid,
        }
    }
}

/// All points that can be drawn.
pub(super) fn points(chart: &Curves) -> impl Iterator<Item = [f64; 2]> {
    let curves = chart.panels.iter().flat_map(|panel| &panel.curves);
    curves.flat_map(|curve| drawn(chart, &curve.points))
}

/// Those of `points` that can be drawn.
fn drawn(chart: &Curves, points: &[[f64; 2]]) -> impl Iterator<Item = [f64; 2]> {
    let valid = |number: &f64| number.is_finite() && (!chart.logarithmic || *number > 0.0);
    let points = points.iter().copied();
    points.filter(move |point| point.iter().all(valid))
}

impl Page for CurvesPage<'_> {
    fn size(&self) -> (u32, u32) {
        self.grid.size
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let [x_scale, y_scale] = &self.scales;
        let (width, height) = self.grid.panel;
        for (index, panel) in self.chart.panels.iter().enumerate() {
            let (x0, y0) = self.grid.corner(index);
            let y = |value: f64| y0 + height * (1.0 - y_scale.place(value));
            self.grid.draw_x(canvas, index, x_scale)?;
            for tick in y_scale.ticks() {
                canvas.line(&[(x0, y(tick)), (x0 + width, y(tick))], GRID, 2.0)?;
                if index % self.grid.columns == 0 {
                    let place = (x0 - 14.0, y(tick));
                    let label = y_scale.label(tick);
                    canvas.text(&label, place, TICK, Align::Right, Turn::None)?;
                }
            }
            self.grid.draw_frame(canvas, index, &panel.title)?;
            for curve in &panel.curves {
                let series = self.series.iter().position(|name| *name == curve.series);
                let series = series.unwrap_or(0);
                let points: Vec<(f64, f64)> = drawn(self.chart, &curve.points)
                    .map(|[a, b]| (self.grid.x(index, x_scale, a), y(b)))
                    .collect();
                if curve.joined {
                    // Drawn piece by piece, because the corner of a line that turns back would
                    // extend far beyond it.
                    for piece in points.windows(2) {
                        canvas.line(piece, series_color(series), 4.0)?;
                    }
                }
                points
                    .iter()
                    .try_for_each(|&point| draw_mark(canvas, point, series))?;
            }
        }
        let [x, y] = &self.chart.axes;
        self.grid.draw_names(canvas, x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::declare::analysis::Curve;

    #[test]
    fn points_without_a_place_on_the_axes_are_left_out() {
        let points_of = |mut chart: Curves| {
            let curve = Curve {
                series: "a".to_owned(),
                points: vec![[0.0, 1.0], [1.0, -1.0], [2.0, f64::NAN], [4.0, 8.0]],
                joined: true,
            };
            chart.panel("", vec![curve]);
            points(&chart).collect::<Vec<_>>()
        };
        let chart = || Curves::new("chart", "", "x", "y");
        let plain = vec![[0.0, 1.0], [1.0, -1.0], [4.0, 8.0]];
        assert_eq!(points_of(chart()), plain);
        assert_eq!(points_of(chart().logarithmic()), plain[2..]);
    }
}
