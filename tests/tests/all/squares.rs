//! Sweeps on a small benchmark whose images hold a square: a regression of its area, and a way of post-processing as an axis.

use std::path::Path;

use ndarray::{Array3, s};
use rand::Rng;
use serde_json::json;
use xai_core::metrics::group_name;
use xai_core::network::{FirstWeights, Layer};
use xai_core::prelude::*;
use xai_core::random;
use xai_core::report::{table_text, write_all, write_page};
use xai_core::results_in;
use xai_core::sweep::execute::{Outcome, sweep};
use xai_core::sweep::planned::SweepOptions;

const SIZE: usize = 10;

/// A bright square, or a dark one, of 2 to 5 pixels a side in noise. Its brightness is the class, and its area the
/// response, if there is one.
#[derive(Clone)]
struct Squares {
    response: bool,
}

impl Benchmark for Squares {
    const NAME: &'static str = "squares";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self { response: true })
    }

    fn identity(&self) -> serde_json::Value {
        json!(self.response)
    }

    fn classes(&self) -> Vec<String> {
        ["dark", "bright"].map(str::to_owned).to_vec()
    }

    fn split(&self, which: Split, _: &Context) -> Result<Dataset> {
        let count = 48;
        let mut images = Array3::zeros((count, SIZE, SIZE));
        let mut truth = Array3::from_elem((count, SIZE, SIZE), false);
        let class: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
        let mut area = Vec::new();
        for (image, &class) in class.iter().enumerate() {
            let mut rng = random::stream(0, &format!("squares/{which}/{image}"));
            images
                .slice_mut(s![image, .., ..])
                .mapv_inplace(|_: f32| rng.random_range(-0.1..0.1));
            let side = rng.random_range(2..=5);
            let [top, left] = [(); 2].map(|()| rng.random_range(0..=SIZE - side));
            let square = s![image, top..top + side, left..left + side];
            let sign = 2.0 * f32::from(class) - 1.0;
            images.slice_mut(square).mapv_inplace(|value| value + sign);
            truth.slice_mut(square).fill(true);
            area.push(sign * (side * side) as f32 / 10.0);
        }
        let dataset = Dataset::grey(images, class)?.with_truth(truth)?;
        if self.response {
            dataset.with_response(area)
        } else {
            Ok(dataset)
        }
    }
}

fn linear(lab: &Lab<Squares>, seed: u64, outputs: usize) -> Network {
    let mut draw = FirstWeights::new(seed, lab.device());
    Network::new(vec![Layer::Flatten, draw.linear(SIZE * SIZE, outputs)])
}

fn options(out: &Path) -> SweepOptions {
    SweepOptions {
        scale: Scale::Smoke,
        out: out.to_owned(),
        quiet: true,
        ..SweepOptions::default()
    }
}

/// How large is the square? A rate of 0 learns nothing.
#[experiment(select(max = |v| v.r2))]
struct Area {
    #[tune([0.0, 0.01])]
    rate: f64,
    #[seed(2)]
    seed: u64,
}

impl Run for Area {
    type Benchmark = Squares;
    type Model = Network;

    fn fit(&self, lab: &Lab<Squares>) -> Result<Fitted<Network>> {
        let plan = TrainingPlan {
            checkpoint: CheckpointRule::BestMae,
            ..TrainingPlan::regression(Optimizer::Adam(self.rate), 20, 8)
        };
        lab.fit(&Training::new(linear(lab, self.seed, 1), plan, self.seed))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Squares>) -> Result<Scores> {
        for problem in [
            lab.test().classified_correctly_by_all(),
            lab.test().misclassified_by(&fitted.model),
        ] {
            let problem = problem.expect_err("no image is right or wrong").to_string();
            assert!(problem.contains("`lab.test().all()`"), "{problem}");
        }
        let images = lab.test().all()?;
        let road = explain! { model = fitted.model, input = images, methods = [Saliency], score = (Road::default(),) };
        let problem = road.unwrap_err().to_string();
        assert!(problem.contains("regression"), "{problem}");
        explain! { model = fitted.model, input = images, methods = [InputXGradient, Saliency],
        score = (Precision, Deletion::default()) }
    }
}

fn area(out: &Path, squares: &Squares) -> xai_core::Result<Outcome> {
    sweep::<Area>(&options(out), squares)
}

/// Selection, the test, tables, figures and the report have R2 and the absolute error in place of accuracy.
#[test]
fn a_regression_is_an_experiment_like_any_other() {
    let out = tempfile::tempdir().unwrap();
    let outcome = area(out.path(), &Squares { response: true }).unwrap();
    let result = outcome.result.unwrap();
    let results = results_in::<Area>(out.path().join("area")).unwrap();
    assert_eq!(results.cells.len(), 4);
    for cell in &results.cells {
        let validation = cell.validation;
        assert!(validation.accuracy.is_nan() && validation.mae > 0.0);
        // Only the rate that learns was chosen.
        assert_eq!(cell.tested.is_some(), cell.parameters.rate > 0.0);
        let best = cell.history.iter().map(|epoch| epoch.validation.mae);
        assert_eq!(validation.mae, best.fold(f64::INFINITY, f64::min));
    }
    assert_eq!(result.cells.len(), 2);
    for (cell, (_, tested)) in result.cells.iter().zip(results.winners()) {
        let regressed = tested.predictions.regression.as_ref().unwrap();
        let pairs = regressed.predicted.iter().zip(&regressed.response);
        let absolute: f64 = pairs.map(|(a, b)| (a - b).abs()).sum();
        let of = cell.regression.unwrap();
        assert!((of.test.mae - absolute / 48.0).abs() < 1e-12);
        assert!(of.test.r2 > 0.8, "{:?}", of.test);
        assert!(
            results
                .cells
                .iter()
                .any(|cell| cell.validation == of.validation)
        );
        assert!(tested.accuracy.is_nan() && cell.test_accuracy.is_nan());
        assert!(tested.scores.iter().any(|score| score.metric == "deletion"));
    }

    let text = table_text(&result);
    assert!(text.contains("R2") && !text.contains("accuracy"), "{text}");
    let folder = out.path().join("area");
    let analysis = Analysis::default();
    write_all(&result, &analysis, &folder).unwrap();
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let csv = read("table.csv");
    let header = csv.lines().next().unwrap();
    assert!(
        header.contains("validation_r2,test_r2,test_mae"),
        "{header}"
    );
    let fields = csv.lines().map(|line| line.split(',').count());
    assert!(
        fields
            .clone()
            .all(|count| count == header.split(',').count())
    );
    assert!(read("figure.csv").starts_with("method,"));
    assert!(read("figure.svg").contains("R2 of the regression"));
    write_page(&result, &analysis, &folder, &folder).unwrap();
    assert!(read("report.html").contains("test R2"));
}

/// Without a response, the first training says what is missing.
#[test]
fn images_without_a_response_are_an_error() {
    let out = tempfile::tempdir().unwrap();
    let outcome = area(out.path(), &Squares { response: false }).unwrap();
    assert!(outcome.result.is_none() && !outcome.failures.is_empty());
    let problem = outcome.failures[0].1.to_string();
    assert!(problem.contains("with_response"), "{problem}");
}

#[derive(Clone, Copy, Debug, PartialEq, Level)]
enum Policy {
    Plain,
    Blurred,
    Tolerant,
}

impl Policy {
    fn steps(self) -> PostProcessing {
        let plain = PostProcessing::default();
        match self {
            Self::Plain => plain,
            Self::Blurred => plain.blur(2.0),
            Self::Tolerant => plain.tolerance(1),
        }
    }
}

/// Does it matter what happens to a map before it is scored?
#[experiment]
struct Policies {
    #[axis]
    policy: Policy,
}

impl Run for Policies {
    type Benchmark = Squares;
    type Model = Network;

    fn fit(&self, lab: &Lab<Squares>) -> Result<Fitted<Network>> {
        let plan = TrainingPlan::new(Optimizer::Adam(0.01), 3, 8);
        lab.fit(&Training::new(linear(lab, 0, 2), plan, 0))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Squares>) -> Result<Scores> {
        let images = lab.test().all()?;
        let scores = explain! { model = fitted.model, input = images, methods = [InputXGradient],
        combine = self.policy.steps(), score = Precision };
        // The same policies beside each other in one call.
        let also = [("blurred", Policy::Blurred), ("tolerant", Policy::Tolerant)];
        let together = explain! { model = fitted.model, input = images, methods = [InputXGradient],
        also = also.map(|(name, policy)| (name, policy.steps())), score = Precision }?;
        let scores = scores?;
        for score in scores.iter().filter(|score| score.metric == "precision") {
            let name = match self.policy {
                Policy::Plain => "precision".to_owned(),
                other => group_name("precision", other.name()),
            };
            let mut same = together.iter();
            let same = same.find(|other| (&other.metric, other.image) == (&name, score.image));
            assert_eq!(same.unwrap().value, score.value);
        }
        Ok(scores)
    }
}

/// The cells of the axis share their training, and their scores are those of the policies.
#[test]
fn a_way_of_post_processing_is_an_axis() {
    let out = tempfile::tempdir().unwrap();
    let squares = Squares { response: false };
    let outcome = sweep::<Policies>(&options(out.path()), &squares).unwrap();
    let result = outcome.result.unwrap();
    assert_eq!(result.axes[0].levels, ["plain", "blurred", "tolerant"]);
    let stages = std::fs::read_dir(out.path().join(".stages")).unwrap();
    let networks = stages.map(|stage| stage.unwrap().path().join("network.safetensors"));
    assert_eq!(networks.filter(|network| network.exists()).count(), 1);
    let mean = |cell: usize| {
        let scores = result.cells[cell].scores.iter();
        let values: Vec<f64> = scores
            .filter(|score| score.metric == "precision")
            .map(|score| score.value)
            .collect();
        assert_eq!(values.len(), 48);
        values.iter().sum::<f64>() / 48.0
    };
    let [plain, blurred, tolerant] = [0, 1, 2].map(mean);
    assert!(
        plain != blurred && plain != tolerant,
        "{plain} {blurred} {tolerant}"
    );
    let table = table_text(&result);
    assert!(table.contains("tolerant"), "{table}");
}
