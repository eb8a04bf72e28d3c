//! What an experiment adds to its own report, as data: tables and charts. [`report`](crate::report)
//! writes and draws them.
//!
//! ```
//! use xai_core::sweep::declare::analysis::{Analysis, Table};
//!
//! let mut analysis = Analysis::default();
//! let mut table = Table::new("counts", "Networks by accuracy", ["above", "networks"]);
//! table.row([0.5.into(), 12.into()]);
//! table.row([0.9.into(), 3.into()]);
//! analysis.table(table.caption("The number of networks above each accuracy."));
//! ```

use crate::attribution::Shown;
use crate::statistics::Interval;

/// The tables and charts of an experiment, in the order of its report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// From top to bottom.
    pub parts: Vec<AnalysisItem>,
}

/// A part of an analysis.
#[derive(Clone, Debug, PartialEq)]
pub enum AnalysisItem {
    /// Rows of numbers.
    Table(Table),
    /// Points and lines, one panel per method or other item.
    Curves(Curves),
    /// Estimates with their intervals, one row per comparison.
    Forest(Forest),
    /// Heat maps of some images, one row per method.
    HeatMaps(HeatMaps),
}

impl Analysis {
    /// Adds a table.
    pub fn table(&mut self, table: Table) {
        self.parts.push(AnalysisItem::Table(table));
    }

    /// Adds a chart of points and lines.
    pub fn curves(&mut self, curves: Curves) {
        self.parts.push(AnalysisItem::Curves(curves));
    }

    /// Adds a chart of estimates with intervals.
    pub fn forest(&mut self, forest: Forest) {
        self.parts.push(AnalysisItem::Forest(forest));
    }

    /// Adds heat maps.
    pub fn heat_maps(&mut self, maps: HeatMaps) {
        self.parts.push(AnalysisItem::HeatMaps(maps));
    }
}

/// The name, title and caption of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// The name of its files, in snake case: `correlation` is written to `correlation.csv`.
    pub name: String,
    /// The title above it.
    pub title: String,
    /// What a reader must know to interpret it. May be empty.
    pub caption: String,
}

impl Heading {
    fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            caption: String::new(),
        }
    }
}

/// A table: `<name>.csv`, and aligned text in the terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name, title and caption.
    pub heading: Heading,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// One entry per column.
    pub rows: Vec<Vec<TableValue>>,
}

impl Table {
    /// A table without rows.
    pub fn new<C: Into<String>>(
        name: &str,
        title: &str,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        Self {
            heading: Heading::new(name, title),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.heading.caption = caption.into();
        self
    }

    /// Adds a row.
    pub fn row(&mut self, entries: impl IntoIterator<Item = TableValue>) {
        self.rows.push(entries.into_iter().collect());
    }
}

/// An entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableValue {
    /// Text, or the level of a factor.
    Text(String),
    /// A count.
    Count(usize),
    /// A measured number, written with six decimals in the file and three in the terminal.
    Number(f64),
    /// No value: it could not be measured, or does not exist.
    Missing,
}

impl TableValue {
    /// The two ends of an interval, as entries of two columns.
    pub fn ends(interval: Option<Interval>) -> [Self; 2] {
        [
            interval.map(|interval| interval.low).into(),
            interval.map(|interval| interval.high).into(),
        ]
    }
}

impl From<&str> for TableValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for TableValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for TableValue {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for TableValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<TableValue>> From<Option<T>> for TableValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// Points and lines in panels that share their scales: `<name>.csv`, `.svg` and `.png`.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Its name, title and caption.
    pub heading: Heading,
    /// The titles of the x and y axes.
    pub axes: [String; 2],
    /// Whether both axes are logarithmic.
    pub logarithmic: bool,
    /// From left to right, then down.
    pub panels: Vec<CurvePanel>,
}

/// A panel of curves.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePanel {
    /// The title above it.
    pub title: String,
    /// The curves of the panel.
    pub curves: Vec<Curve>,
}

/// Points (x, y) of one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The name in the legend. Curves with the same name have the same colour.
    pub series: String,
    /// In the order in which a line joins them. Points that are not finite are left out. On logarithmic axes, so are points
    /// with a number that is not above 0.
    pub points: Vec<[f64; 2]>,
    /// Whether a line joins them.
    pub joined: bool,
}

impl Curves {
    /// A chart without panels.
    pub fn new(name: &str, title: &str, x: &str, y: &str) -> Self {
        Self {
            heading: Heading::new(name, title),
            axes: [x.to_owned(), y.to_owned()],
            logarithmic: false,
            panels: Vec::new(),
        }
    }

    /// Makes both axes logarithmic. If y grows with a power of x, the points lie on a line, and its slope is the exponent.
    #[must_use]
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.heading.caption = caption.into();
        self
    }

    /// Adds a panel.
    pub fn panel(&mut self, title: impl Into<String>, curves: Vec<Curve>) {
        self.panels.push(CurvePanel {
            title: title.into(),
            curves,
        });
    }
}

/// Estimates with intervals in rows. All panels share the rows and the scale: `<name>.csv`, `.svg`
/// and `.png`.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// Its name, title and caption.
    pub heading: Heading,
    /// The title of the x axis.
    pub x: String,
    /// The value of no effect, drawn as a line through all rows.
    pub reference: f64,
    /// The names of the rows, from top to bottom.
    pub rows: Vec<String>,
    /// From left to right, then down.
    pub panels: Vec<ForestPanel>,
}

/// A panel of estimates.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestPanel {
    /// The title above it.
    pub title: String,
    /// In any order.
    pub estimates: Vec<Estimate>,
}

/// A number and its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The index of its row, from 0.
    pub row: usize,
    /// The name in the legend, which also determines the colour.
    pub series: String,
    /// The estimate.
    pub value: f64,
    /// The ends of its interval, if there is one.
    pub interval: Option<Interval>,
}

impl Forest {
    /// A chart without panels.
    pub fn new<R: Into<String>>(
        name: &str,
        title: &str,
        x: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            heading: Heading::new(name, title),
            x: x.to_owned(),
            reference: 0.0,
            rows: rows.into_iter().map(Into::into).collect(),
            panels: Vec::new(),
        }
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.heading.caption = caption.into();
        self
    }

    /// Adds a panel.
    pub fn panel(&mut self, title: impl Into<String>, estimates: Vec<Estimate>) {
        self.panels.push(ForestPanel {
            title: title.into(),
            estimates,
        });
    }
}

/// Heat maps side by side, one row per method: `<name>.csv`, `.svg` and `.png`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMaps {
    /// Its name, title and caption.
    pub heading: Heading,
    /// From left to right.
    pub blocks: Vec<HeatMapBlock>,
    /// The metric by which the CSV scores each map: a [name](crate::metrics::named).
    pub metric: String,
    /// Whether all maps of a row have one colour scale. If not, each map has its own.
    pub one_scale: bool,
}

/// Columns with a common title.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMapBlock {
    /// The title above it. May be empty.
    pub title: String,
    /// From left to right.
    pub columns: Vec<HeatMapColumn>,
}

/// An image and the heat map of each method.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMapColumn {
    /// The title above it.
    pub title: String,
    /// The image with its maps, from [`Tested::shown`](crate::sweep::read::Tested::shown).
    pub image: Shown,
}

impl HeatMaps {
    /// A figure without maps.
    pub fn new(name: &str, title: &str) -> Self {
        Self {
            heading: Heading::new(name, title),
            blocks: Vec::new(),
            metric: "precision".to_owned(),
            one_scale: false,
        }
    }

    /// Gives all maps of a row one colour scale, so that their strengths can be compared. By default,
    /// the brightest colour of each map is its own largest value.
    #[must_use]
    pub fn one_scale_per_row(mut self) -> Self {
        self.one_scale = true;
        self
    }

    /// Sets the metric in the CSV, which is precision by default: a [name](crate::metrics::named).
    #[must_use]
    pub fn metric(mut self, name: impl Into<String>) -> Self {
        self.metric = name.into();
        self
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.heading.caption = caption.into();
        self
    }

    /// Adds a block of columns.
    pub fn block(&mut self, title: impl Into<String>, columns: Vec<HeatMapColumn>) {
        self.blocks.push(HeatMapBlock {
            title: title.into(),
            columns,
        });
    }
}
