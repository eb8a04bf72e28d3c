//! Regressions, compared with PyTorch in float64 and scikit-learn (`fixtures/training/regression.py`).

use ndarray::{Array1, Array2, Array4};
use tests::{Fixture, cpu};
use xai_core::dataset::Dataset;
use xai_core::lesions::paper_plan;
use xai_core::network::json;
use xai_core::training::{
    CheckpointRule, Errors, Examples, Fit, Loss, Optimizer, Sgd, StopRule, TrainingPlan, fit,
};

use crate::pytorch::{EPOCHS, SEED, assert_parameters};

/// The images of a split with their responses. Their classes are of no use.
fn examples(file: &Fixture, split: &str) -> Examples {
    let images: Array4<f32> = file.array(split);
    let response: Array1<f32> = file.array(&format!("{split}_response"));
    let class = vec![7; response.len()];
    let dataset = Dataset::new(images, class).unwrap();
    Examples::of(&dataset.with_response(response.to_vec()).unwrap(), &cpu())
}

/// Losses, errors and weights are PyTorch's, by descent and by Adam, and the kept epoch is the best one.
#[test]
fn a_regression_is_pytorchs() {
    let file = Fixture::read("training/regression.safetensors");
    let (train, validation) = (examples(&file, "train"), examples(&file, "validation"));
    let network = file.network();
    let cases: [(&str, Optimizer); 2] = [
        ("descent", Sgd::rate(0.02).momentum(0.5).into()),
        ("adam", Optimizer::Adam(0.005)),
    ];
    for (name, optimizer) in cases {
        let expected: Array2<f32> = file.array(&format!("{name}.history"));
        let trained = |checkpoint| {
            let plan = TrainingPlan {
                checkpoint,
                ..TrainingPlan::regression(optimizer, EPOCHS, 8)
            };
            fit(&network, 0, &train, &validation, &plan, SEED, |_, _| Ok(())).unwrap()
        };
        let whole = trained(CheckpointRule::Last);
        assert_eq!(whole.history.len(), EPOCHS);
        for (epoch, expected) in whole.history.iter().zip(expected.rows()) {
            let of = epoch.validation;
            let found = [epoch.loss, of.loss, of.mae, of.r2];
            let mut pairs = found.iter().zip(expected);
            assert!(
                pairs.all(|(found, expected)| (found - f64::from(*expected)).abs() < 1e-5),
                "{name}: {found:?} is not {expected}"
            );
            assert!(epoch.accuracy.is_nan() && of.accuracy.is_nan());
        }
        assert_eq!(assert_parameters(&whole.network, &file, name, ""), 6);
        let best = |column: usize, sign: f32| {
            let mut epochs: Vec<usize> = (0..EPOCHS).collect();
            epochs.sort_by(|a, b| {
                let of = |epoch: &usize| sign * expected[[*epoch, column]];
                of(a).total_cmp(&of(b))
            });
            epochs[0]
        };
        for (rule, best) in [
            (CheckpointRule::BestLoss, best(1, 1.0)),
            (CheckpointRule::BestLoss, best(3, -1.0)),
            (CheckpointRule::BestMae, best(2, 1.0)),
        ] {
            let kept = trained(rule);
            assert_eq!(kept.best, best, "{name}, {rule:?}");
            let again = validation.evaluate(&kept.network, Loss::MeanSquaredError, "");
            assert_eq!(again, kept.history[best].validation);
        }
    }
}

/// By hand, and at the borders where R2 is 0 or unknown.
#[test]
fn errors_of_a_regression() {
    let of = |pairs: &[[f64; 2]]| {
        let Errors { mse, mae, r2 } = Errors::of(pairs);
        [mse, mae, r2]
    };
    assert_eq!(of(&[[1.0, 1.0], [2.0, 4.0]]), [2.0, 1.0, 1.0 - 2.0 / 2.25]);
    assert_eq!(of(&[[2.5, 1.0], [2.5, 4.0]]), [2.25, 1.5, 0.0]);
    assert!(of(&[[1.0, 3.0], [2.0, 3.0]])[2].is_nan());
    // JSON writes what is not a number as `null`.
    let text = serde_json::to_string(&Errors::of(&[[f64::NAN, 1.0], [1.0, 2.0]])).unwrap();
    let Errors { mse, mae, r2 } = serde_json::from_str(&text).unwrap();
    assert!(
        [mse, mae, r2].iter().all(|number| number.is_nan()),
        "{text}"
    );
}

#[test]
fn what_does_not_go_together_is_one_clear_sentence() {
    let file = Fixture::read("training/regression.safetensors");
    let numbers = examples(&file, "train");
    let images: Array4<f32> = file.array("train");
    let class = (0..images.dim().0).map(|at| (at % 2) as u8).collect();
    let classes = Examples::of(&Dataset::new(images, class).unwrap(), &cpu());
    let network = file.network();
    let two = json::init(r#"["flatten", {"linear":{"in":144,"out":2}}]"#, 0, &cpu()).unwrap();
    let plan = TrainingPlan::regression(Sgd::rate(0.01), 1, 8);
    let classify = TrainingPlan::new(Sgd::rate(0.01), 1, 8);
    let problem = |result: xai_core::Result<Fit>| result.err().expect("an error").to_string();
    let train = |network, images: &Examples, plan: &TrainingPlan| {
        problem(fit(network, 0, images, images, plan, 0, |_, _| Ok(())))
    };
    assert!(train(&network, &classes, &plan).contains("`Dataset::with_response`"));
    assert!(train(&two, &numbers, &plan).contains("one output, but this one has 2"));
    // Their classes are 7.
    assert!(train(&network, &numbers, &classify).contains("TrainingPlan::regression"));
    assert!(train(&network, &classes, &classify).contains("has 1 outputs"));
    let change = |change: &dyn Fn(&mut TrainingPlan), base: &TrainingPlan| {
        let mut plan = base.clone();
        change(&mut plan);
        train(&network, &numbers, &plan)
    };
    let accuracy = |plan: &mut TrainingPlan| plan.checkpoint = CheckpointRule::BestAccuracy;
    assert!(change(&accuracy, &plan).contains("a regression has no accuracy"));
    let paper = paper_plan(Sgd::rate(0.01));
    let settled = |plan: &mut TrainingPlan| plan.stop = paper.stop;
    assert!(change(&settled, &plan).contains("could settle"));
    let mae = |plan: &mut TrainingPlan| plan.checkpoint = CheckpointRule::BestMae;
    assert!(change(&mae, &classify).contains("`BestMae`"));
    let patient = TrainingPlan {
        checkpoint: CheckpointRule::BestMae,
        stop: StopRule::Patience(1),
        ..plan
    };
    let fitted = fit(&network, 0, &numbers, &numbers, &patient, 0, |_, _| Ok(()));
    assert_eq!(fitted.unwrap().history.len(), 1);
}
