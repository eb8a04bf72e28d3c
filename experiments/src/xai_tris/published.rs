//! The published scores of XAI-TRIS at 8 x 8, read off plots.

use std::sync::LazyLock;

use xai_core::prelude::*;

/// A cell of the published figures: a data set, a model and a method.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedCell {
    /// The names of scenario, background and model.
    pub cell: [String; 3],
    /// The method's name.
    pub method: String,
    /// The mean over images and runs, with a precision of 0.01.
    pub precision: f64,
    /// The median over images and runs on the public code's scale, with a precision of 0.003.
    pub emd: f64,
}

/// The methods that the public code computes by Keras, on networks of their own ([`keras_network`](super::keras_network)).
pub const BY_KERAS: [&str; 3] = ["pattern_net", "pattern_attribution", "deep_taylor"];

/// All cells as values for `--against published`.
pub fn published() -> Published {
    let mut values = Vec::new();
    for cell in PUBLISHED.iter() {
        let levels = ["scenario", "background", "model"]
            .into_iter()
            .zip(&cell.cell);
        let levels = levels.map(|(axis, level)| (axis.to_owned(), level.clone()));
        let levels: Vec<_> = levels.collect();
        // Our panel has the form of DeepLIFT that Captum computes.
        let captum = format!("{}_captum", cell.method);
        for method in [&cell.method, &captum] {
            let value = |metric: &str, statistic, value| PublishedValue {
                levels: levels.clone(),
                method: method.clone(),
                metric: metric.to_owned(),
                statistic,
                value,
            };
            values.push(value(
                "precision_without_zeros",
                Statistic::Mean,
                cell.precision,
            ));
            values.push(value("emd", Statistic::Median, cell.emd));
            if cell.method != "deep_lift" {
                break;
            }
        }
    }
    Published {
        source: "Clark, Wilming and Haufe (2024), at 8 x 8, read off the plots of braindatalab/xai-tris-whitening without \
                 whitening: precision to 0.01, the earth mover's distance to 0.003. The public code drops the first \
                 model's first results (X10), and this comparison does not."
            .to_owned(),
        scales: vec![Scale::Desk, Scale::Night],
        values,
    }
}

/// All cells: mean precision and median earth mover's distance. They were read off the plots of
/// braindatalab/xai-tris-whitening without whitening, which has the code and settings of XAI-TRIS.
/// Its moving tetrominoes were placed by the code before commit 515184e (X8).
pub static PUBLISHED: LazyLock<Vec<PublishedCell>> = LazyLock::new(|| {
    let rows = include_str!("published.csv").lines().skip(1);
    let row = |line: &str| {
        let mut fields = line.split(',').map(str::to_owned);
        let mut next = || fields.next().expect("six fields a row");
        let cell = [next(), next(), next()];
        let method = next();
        let mut number = || next().parse().expect("a number");
        PublishedCell {
            cell,
            method,
            precision: number(),
            emd: number(),
        }
    };
    rows.map(row).collect()
});
