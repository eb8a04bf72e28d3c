//! The published scores of XAI-TRIS at 8 x 8, read off plots.

use std::sync::LazyLock;

/// A cell of the published figures: a data set, a model and a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The names of scenario, background and model.
    pub cell: [String; 3],
    /// The method's name.
    pub method: String,
    /// The mean over images and runs, with a precision of 0.01.
    pub precision: f64,
    /// The median over images and runs on the public code's scale, with a precision of 0.003.
    pub emd: f64,
}

/// All cells: mean precision and median earth mover's distance. They were read off the plots of
/// braindatalab/xai-tris-whitening without whitening, which has the code and settings of XAI-TRIS.
/// Its moving tetrominoes were placed by the code before commit 515184e (X8).
pub static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let rows = include_str!("published.csv").lines().skip(1);
    let row = |line: &str| {
        let mut fields = line.split(',').map(str::to_owned);
        let mut next = || fields.next().expect("six fields a row");
        let cell = [next(), next(), next()];
        let method = next();
        let mut number = || next().parse().expect("a number");
        Published {
            cell,
            method,
            precision: number(),
            emd: number(),
        }
    };
    rows.map(row).collect()
});
