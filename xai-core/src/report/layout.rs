//! The layout of the figure.
//!
//! All lengths are in pixels of the PNG, about 370 per inch when printed at a page's width (180
//! mm).

use super::figure::Figure;
use super::font::text_width;
use super::legend::Legend;
use super::style::{EDGE, TICK};

const WIDTH: f64 = 2600.0;
/// Space at the left and right of the panels, for the scales and their labels.
const MARGIN: f64 = 190.0;
const COLUMN_GAP: f64 = 44.0;
/// Space between rows, for the titles of the panels.
const ROW_GAP: f64 = 88.0;

/// The position of everything.
pub(super) struct Layout {
    pub size: (u32, u32),
    pub columns: usize,
    rows: usize,
    /// Width and height of a panel.
    pub panel: (f64, f64),
    /// The top edge of the first row.
    top: f64,
    /// The width of one box's place. The boxes of a tick are adjacent, with one place between
    /// ticks.
    pub place: f64,
    /// The space for the labels under a panel, and whether they must be rotated to fit.
    pub labels: (f64, bool),
    pub legend: Legend,
}

impl Layout {
    pub fn of(figure: &Figure) -> Self {
        // Full rows first: five panels are arranged as three and two, not as four and one.
        let rows = figure.panels.len().div_ceil(4);
        let columns = figure.panels.len().div_ceil(rows);
        let gaps = (columns - 1) as f64 * COLUMN_GAP;
        let panel_width = ((WIDTH - 2.0 * MARGIN - gaps) / columns as f64).min(1100.0);
        let panel_height = if rows == 1 { 620.0 } else { 500.0 };
        let width = 2.0 * MARGIN + gaps + columns as f64 * panel_width;

        let place = panel_width / places(figure);
        let widest = figure
            .ticks
            .iter()
            .map(|tick| text_width(tick, TICK))
            .fold(0.0, f64::max);
        let turned = widest > place * (figure.series.len() + 1) as f64 - 16.0;
        let labels = if turned { widest + 24.0 } else { 56.0 };
        let legend = Legend::of(figure, width - 2.0 * EDGE);
        let top = EDGE + legend.height + ROW_GAP;
        let title = if figure.x_title.is_empty() { 0.0 } else { 56.0 };
        let height = top + rows as f64 * (panel_height + ROW_GAP) - ROW_GAP + labels + title + EDGE;
        Self {
            size: (width.round() as u32, height.round() as u32),
            columns,
            rows,
            panel: (panel_width, panel_height),
            top,
            place,
            labels: (labels, turned),
            legend,
        }
    }

    /// The top left corner of a panel.
    pub fn corner(&self, index: usize) -> (f64, f64) {
        let (column, row) = ((index % self.columns) as f64, (index / self.columns) as f64);
        (
            MARGIN + column * (self.panel.0 + COLUMN_GAP),
            self.top + row * (self.panel.1 + ROW_GAP),
        )
    }

    /// The middle of all rows of panels.
    pub fn middle(&self) -> f64 {
        let rows = self.rows as f64;
        self.top + (rows * (self.panel.1 + ROW_GAP) - ROW_GAP) / 2.0
    }
}

/// The width of a panel in places of boxes: half a place at both sides, and one after the
/// references and between ticks.
fn places(figure: &Figure) -> f64 {
    let ticks = figure.ticks.len() * (figure.series.len() + 1);
    ticks as f64 + baseline_places(figure)
}

/// The number of places for the references.
pub(super) fn baseline_places(figure: &Figure) -> f64 {
    match figure.baselines.len() {
        0 => 0.0,
        n => n as f64 + 1.0,
    }
}
