//! A training follows its plan. A training that is not possible is rejected before anything is computed.

use ndarray::{Array4, ArrayD};
use tests::{Fixture, cpu, fixture};
use xai_core::Result;
use xai_core::dataset::Dataset;
use xai_core::network::{Network, json};
use xai_core::training::{
    CheckpointRule, Decay, Examples, Fit, Sgd, StopRule, TrainingPlan, Validation, fit,
};

/// Images of 2 channels and 9 x 9 pixels, of `classes` classes that differ in brightness.
fn images(count: usize, classes: usize) -> Examples {
    let class: Vec<u8> = (0..count).map(|at| (at % classes) as u8).collect();
    let images = Array4::from_shape_fn((count, 2, 9, 9), |(n, c, y, x)| {
        let noise = ((n * 31 + c * 17 + y * 5 + x * 3) % 13) as f32 / 13.0;
        f32::from(class[n]) * 0.5 + noise * 0.4
    });
    Examples::of(&Dataset::new(images, class).unwrap(), &cpu())
}

fn network(outputs: usize) -> Network {
    let layers = r#"[{"conv2d": {"in": 2, "out": 4, "kernel": 3}}, "relu", {"adaptive_avg_pool2d": [1, 1]},
        "flatten", {"linear": {"in": 4, "out": OUTPUTS}}]"#;
    let layers = layers.replace("OUTPUTS", &outputs.to_string());
    json::init(&layers, 0, &cpu()).unwrap()
}

fn train(network: &Network, images: &Examples, plan: &TrainingPlan) -> Result<Fit> {
    fit(network, 0, images, images, plan, 0, |_, _| Ok(()))
}

#[test]
fn rules_of_a_plan_decide_what_is_kept_and_when_it_ends() {
    let (network, images) = (network(3), images(30, 3));
    let base = TrainingPlan::new(Sgd::rate(0.1).momentum(0.5), 12, 4);
    let fitted = |checkpoint, stop| {
        let plan = TrainingPlan {
            checkpoint,
            stop,
            ..base.clone()
        };
        train(&network, &images, &plan).unwrap()
    };
    let whole = fitted(CheckpointRule::Last, StopRule::Never);
    assert_eq!((whole.history.len(), whole.best), (12, 11));
    let validations: Vec<Validation> = whole.history.iter().map(|e| e.validation).collect();
    assert!(
        validations[11].loss < 0.7 * validations[0].loss,
        "it learns: {validations:?}"
    );
    for (rule, better) in [
        (
            CheckpointRule::BestLoss,
            (|a, b| a.loss < b.loss) as fn(&Validation, &Validation) -> bool,
        ),
        (CheckpointRule::BestAccuracy, |a, b| a.accuracy > b.accuracy),
    ] {
        let kept = fitted(rule, StopRule::Never);
        assert_eq!(kept.history, whole.history);
        let of_kept = validations[kept.best];
        assert!(!validations.iter().any(|other| better(other, &of_kept)));
        // The network that comes out is that of the epoch.
        assert_eq!(images.evaluate(&kept.network, base.loss, ""), of_kept);
        let stopped = fitted(rule, StopRule::Patience(2));
        let end = stopped.history.len();
        assert_eq!(stopped.history[..], whole.history[..end]);
        assert!(end == 12 || end == stopped.best + 3, "{rule:?}: {end}");
    }
    assert!(
        fitted(CheckpointRule::BestAccuracy, StopRule::Patience(2))
            .history
            .len()
            < 12,
        "no case stops"
    );
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let plan = TrainingPlan::new(Sgd::rate(0.1), 1, 4);
    let says =
        |network: &Network, images: &Examples, first: usize, plan: &TrainingPlan, part: &str| {
            let fitted = fit(network, first, images, images, plan, 0, |_, _| Ok(()));
            let problem = fitted.err().unwrap().to_string();
            assert!(problem.contains(part), "`{part}` is not in: {problem}");
        };
    let three = images(12, 3);
    says(
        &network(2),
        &three,
        0,
        &plan,
        "images of class 2 (counted from 0), but the network has 2 outputs",
    );
    says(
        &network(3),
        &three,
        5,
        &plan,
        "no weights are left to train",
    );
    let colour = json::init(
        r#"[{"conv2d": {"in": 3, "out": 4, "kernel": 3}}, "flatten", {"linear": {"in": 196, "out": 3}}]"#,
        0,
        &cpu(),
    );
    says(
        &colour.unwrap(),
        &three,
        0,
        &plan,
        "layer 0 of the network takes 3 channels",
    );
    let large = json::init(
        r#"[{"conv2d": {"in": 2, "out": 4, "kernel": 3}}, "flatten", {"linear": {"in": 100, "out": 3}}]"#,
        0,
        &cpu(),
    );
    says(
        &large.unwrap(),
        &three,
        0,
        &plan,
        "layer 2 of the network takes 100 features",
    );
    let headless = json::init(
        r#"[{"conv2d": {"in": 2, "out": 4, "kernel": 3}}]"#,
        0,
        &cpu(),
    );
    says(
        &headless.unwrap(),
        &three,
        0,
        &plan,
        "it lacks its last layers",
    );
    let nothing = TrainingPlan {
        epochs: 0,
        ..plan.clone()
    };
    says(&network(3), &three, 0, &nothing, "0 epochs");
    let wild = TrainingPlan::new(Sgd::rate(1e30), 2, 4);
    says(&network(3), &three, 0, &wild, "too large");
    // The loss of a single step is that of the weights before it.
    let linear = json::init(
        r#"["flatten", {"linear": {"in": 162, "out": 3}}]"#,
        0,
        &cpu(),
    );
    let single = TrainingPlan::new(Sgd::rate(1e38), 1, 12);
    says(
        &linear.unwrap(),
        &three,
        0,
        &single,
        "the validation loss of epoch 1 is",
    );
    assert!(fit(&network(3), 0, &three, &three, &plan, 0, |_, _| Ok(())).is_ok());
}

/// Batch norm is set by images of every class, also where they are sorted by it.
#[test]
fn batch_norm_is_calibrated_on_all_classes() {
    let network = json::init(
        r#"[{"batch_norm2d": {"features": 1}}, "flatten", {"linear": {"in": 4, "out": 2}}]"#,
        0,
        &cpu(),
    );
    let network = network.unwrap();
    // A rate of 0, so that nothing else changes.
    let plan = TrainingPlan::new(Sgd::rate(0.0), 1, 50);
    let mean = |class: Vec<u8>| {
        let pixels = Array4::from_shape_fn((class.len(), 1, 2, 2), |(n, ..)| f32::from(class[n]));
        let images = Examples::of(&Dataset::new(pixels, class).unwrap(), &cpu());
        let fitted = train(&network, &images, &plan).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network");
        fitted.network.save(&path).unwrap();
        let mean: ArrayD<f32> = Fixture::at(&path).array("0.running_mean");
        mean[[0]]
    };
    let sorted = (0..400).map(|at| u8::from(at >= 250)).collect();
    assert!((mean(sorted) - 0.375).abs() < 0.005);
    // In turns, the first do.
    let first = mean((0..400).map(|at| u8::from(at % 3 == 0)).collect());
    assert!((first - 64.0 / 192.0).abs() < 1e-6);
}

/// The network that the book writes down, by the plan that it shows: dropout, a residual block, grey images repeated.
#[test]
fn the_books_network_is_trained_by_the_books_plan() {
    let description = std::fs::read_to_string(fixture("networks/small_resnet.json")).unwrap();
    let (device, seed) = (cpu(), 3);
    let class: Vec<u8> = (0..64).map(|at| (at % 2) as u8).collect();
    let pixels = Array4::from_shape_fn((64, 1, 24, 24), |(n, _, y, x)| {
        let wave = if class[n] == 0 { x } else { y };
        (0.8 * wave as f32 + n as f32).sin()
    });
    let images = Examples::of(&Dataset::new(pixels, class).unwrap(), &device);
    let (train, validation) = (&images, &images);
    let book = || -> Result<Fit> {
        // ANCHOR: plan
        let network = json::init(&description, seed, &device)?;
        let plan = TrainingPlan {
            decay: Some(Decay {
                every: 10,
                factor: 0.1,
            }),
            checkpoint: CheckpointRule::BestLoss,
            stop: StopRule::Patience(5),
            ..TrainingPlan::new(Sgd::rate(0.01).momentum(0.9), 30, 32) // optimiser, epochs, batch
        };
        let fitted = fit(&network, 0, train, validation, &plan, seed, |_, _| Ok(()))?;
        // ANCHOR_END: plan
        Ok(fitted)
    };
    let fitted = book().unwrap();
    let (first, kept) = (fitted.history[0], fitted.history[fitted.best]);
    assert!(
        kept.validation.accuracy > 0.95 && kept.validation.loss < first.validation.loss,
        "{:?}",
        fitted.history
    );
}
