//! Test accuracies beside the best that is possible.

use std::collections::BTreeMap;

use xai_core::dataset::Dataset;
use xai_core::prelude::*;
use xai_core::statistics::mean;
use xai_core::tetromino::{Architecture, LinearDiscriminant, Size, Tetromino};

use super::names;

/// A data set with a model, and the test accuracy of each run.
pub struct Accuracies {
    /// The data set.
    pub setting: Tetromino,
    /// The names of scenario, background and model.
    pub names: [String; 3],
    /// One accuracy per run.
    pub runs: Vec<f64>,
}

/// Collects runs by data set and model. Each has its data set, its model and its test accuracy.
pub fn accuracies(
    runs: impl IntoIterator<Item = (Tetromino, Architecture, f64)>,
) -> Vec<Accuracies> {
    let mut all: BTreeMap<[String; 3], Accuracies> = BTreeMap::new();
    for (setting, model, accuracy) in runs {
        let names = names(setting.scenario, setting.background, model);
        let of_cell = all.entry(names.clone()).or_insert(Accuracies {
            setting,
            names,
            runs: Vec::new(),
        });
        of_cell.runs.push(accuracy);
    }
    all.into_values().collect()
}

/// A table of all accuracies, and a chart of those whose best possible value is known.
/// At 8 x 8 the table also has the linear discriminant, which is fitted without training.
///
/// # Errors
/// The images of a data set cannot be made.
pub fn compare_accuracies(all: &[Accuracies], analysis: &mut Analysis) -> Result<()> {
    let mut table = Table::new(
        "accuracy",
        "Test accuracy, and the best possible one",
        [
            "scenario",
            "background",
            "model",
            "runs",
            "lowest",
            "mean",
            "highest",
            "best possible",
        ],
    );
    // Some are simulated, so each is computed once.
    let best = all.iter().map(|of| of.setting.best_accuracy());
    let best: Vec<Option<f64>> = best.collect();
    let mut row = |of: &Accuracies, best: Option<f64>, model: &str, runs: &[f64]| {
        let [lowest, highest] = [f64::min, f64::max].map(|pick| runs.iter().copied().reduce(pick));
        table.row([
            of.names[0].as_str().into(),
            of.names[1].as_str().into(),
            model.into(),
            runs.len().into(),
            lowest.into(),
            mean(runs).into(),
            highest.into(),
            best.into(),
        ]);
    };
    let mut of_discriminants = Vec::new();
    for (of, &best) in all.iter().zip(&best) {
        row(of, best, &of.names[2], &of.runs);
        if of.names[2] == Architecture::Linear.name() && of.setting.size == Size::Eight {
            let accuracy = of_discriminant(&of.setting)?;
            row(of, best, "linear discriminant", &[accuracy]);
            of_discriminants.extend(best.map(|best| [best, accuracy]));
        }
    }
    analysis.table(table.caption(
        "One row per data set and model, over its runs. The best possible accuracy (Bayes) has a closed form in white noise. \
         For tetrominoes that move, it is simulated. The linear discriminant is computed from means and covariances, without training.",
    ));
    let mut chart = Curves::new(
        "accuracy_and_best",
        "Test accuracy against the best possible accuracy, white noise",
        "best possible accuracy",
        "test accuracy",
    );
    let mut curves = vec![Curve {
        series: "equal".to_owned(),
        points: vec![[0.75, 0.75], [1.0, 1.0]],
        joined: true,
    }];
    for model in [Architecture::Linear, Architecture::Mlp, Architecture::Cnn] {
        let of_model = all.iter().zip(&best);
        let points: Vec<[f64; 2]> = of_model
            .filter(|(of, _)| of.names[2] == model.name())
            .filter_map(|(of, &best)| Some((best?, &of.runs)))
            .flat_map(|(best, runs)| runs.iter().map(move |&accuracy| [best, accuracy]))
            .collect();
        curves.push(Curve {
            series: model.title().to_owned(),
            points,
            joined: false,
        });
    }
    curves.push(Curve {
        series: "linear discriminant".to_owned(),
        points: of_discriminants,
        joined: false,
    });
    chart.panel("Every run", curves);
    analysis.curves(chart.caption(
        "From left to right: the linear scenario, the multiplicative one, XOR, moving tetrominoes. Points on the line cannot be improved.",
    ));
    Ok(())
}

/// The share of test images that the linear discriminant of the training images classifies correctly.
fn of_discriminant(setting: &Tetromino) -> Result<f64> {
    // The covariance of smooth noise is only as good as half precision lets it be.
    const RIDGE: f64 = 1e-9;
    let [train, _, test]: [Dataset; 3] = setting.make()?;
    let discriminant = LinearDiscriminant::fit(&train, RIDGE)?;
    let images = test.images().outer_iter().zip(test.class());
    let right = images
        .filter(|(image, class)| {
            discriminant.class(image.index_axis(ndarray::Axis(0), 0)) == **class
        })
        .count();
    Ok(right as f64 / test.len() as f64)
}
