//! Whole trainings, compared with PyTorch in float64 (`fixtures/training`).

use ndarray::{Array2, Array3, Array4, ArrayD};
use tests::{Fixture, cpu, error, fixture};
use xai_core::dataset::Dataset;
use xai_core::lesions::paper_plan;
use xai_core::network::{Layer, Network};
use xai_core::random;
use xai_core::training::{
    CheckpointRule, Decay, Epoch, Examples, Optimizer, Sgd, TrainingPlan, backward, fit, order,
};

use crate::IMAGES;

/// Epochs and seed of the trainings that PyTorch did as well.
pub const EPOCHS: usize = 4;
pub const SEED: u64 = 3;

fn orders() -> Vec<Vec<usize>> {
    (0..EPOCHS)
        .map(|epoch| order(IMAGES, SEED, epoch))
        .collect()
}

/// Not a test: writes what make.py reads.
#[test]
#[ignore = "only before make.py is run again"]
fn write_the_orders_of_the_images() {
    let text = serde_json::to_string(&orders()).unwrap();
    std::fs::write(fixture("training/order.json"), text + "\n").unwrap();
}

/// Accuracy and loss in training and validation, an epoch a row.
fn assert_history(name: &str, found: &[Epoch], expected: &Array2<f32>) {
    assert_eq!(found.len(), EPOCHS, "{name}");
    for (epoch, expected) in found.iter().zip(expected.rows()) {
        let validation = epoch.validation;
        let found = [
            epoch.accuracy,
            epoch.loss,
            validation.accuracy,
            validation.loss,
        ];
        let mut pairs = found.iter().zip(expected);
        assert!(
            pairs.all(|(found, expected)| (found - f64::from(*expected)).abs() < 1e-5),
            "{name}: {found:?} is not {expected}"
        );
    }
}

/// Losses, accuracies and weights of the paper's training (SGD with momentum, no weight decay, the rate divided by 10)
/// are PyTorch's, with frozen layers as well, whose outputs are computed once here and in every epoch there.
#[test]
fn a_training_is_pytorchs() {
    let kept = std::fs::read(fixture("training/order.json")).unwrap();
    let kept: Vec<Vec<usize>> = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept, orders(), "make the fixture again");
    let fixture = Fixture::read("training/protocol.safetensors");
    let network = fixture.network();
    let examples = |name: &str| {
        let images: Array3<f32> = fixture.array(name);
        let class: Vec<u8> = (0..images.dim().0).map(|at| (at % 2) as u8).collect();
        Examples::of(&Dataset::grey(images, class).unwrap(), &cpu())
    };
    let (train, validation) = (examples("train"), examples("validation"));
    let plan = TrainingPlan {
        epochs: EPOCHS,
        batch: 8,
        decay: Some(Decay {
            every: 2,
            factor: 0.1,
        }),
        ..paper_plan(Sgd::rate(0.05).momentum(0.5))
    };
    for (name, first) in [("all", 0), ("block", 5), ("as_published", 6)] {
        let mut last = None;
        let fitted = fit(
            &network,
            first,
            &train,
            &validation,
            &plan,
            SEED,
            |_, end| {
                last = end.layers.last().cloned();
                Ok(())
            },
        );
        let expected: Array2<f32> = fixture.array(&format!("{name}.history"));
        assert_history(name, &fitted.unwrap().history, &expected);
        let Some(Layer::Linear(linear)) = last else {
            panic!("it ends in a linear layer");
        };
        let found = linear.weight.into_data().into_vec().unwrap();
        let found = Array2::from_shape_vec((2, 10), found).unwrap();
        assert!(
            error(&found, &fixture.array(&format!("{name}.last"))) < 1e-4,
            "{name}"
        );
    }
}

/// The network and the images of a fixture of `networks.py`.
struct Networks {
    file: Fixture,
    network: Network,
    train: Examples,
    validation: Examples,
}

impl Networks {
    fn read(name: &str, classes: usize) -> Self {
        let file = Fixture::read(&format!("training/{name}.safetensors"));
        let examples = |name: &str| {
            let images: Array4<f32> = file.array(name);
            let class = (0..images.dim().0).map(|at| (at % classes) as u8).collect();
            Examples::of(&Dataset::new(images, class).unwrap(), &cpu())
        };
        Self {
            network: file.network(),
            train: examples("train"),
            validation: examples("validation"),
            file,
        }
    }
}

/// Images of two channels and of three and four classes; residual blocks, batch norm, average pools, every activation, by
/// descent and by Adam. After the last epoch every parameter and every running statistic is PyTorch's.
#[test]
fn a_training_of_a_resnet_and_of_smooth_layers_is_pytorchs() {
    let cases: [(&str, usize, Optimizer); 2] = [
        ("resnet", 3, Sgd::rate(0.02).momentum(0.5).into()),
        ("smooth", 4, Optimizer::Adam(0.005)),
    ];
    for (name, classes, optimizer) in cases {
        let theirs = Networks::read(name, classes);
        let plan = TrainingPlan {
            checkpoint: CheckpointRule::Last,
            ..TrainingPlan::new(optimizer, EPOCHS, 8)
        };
        let (train, validation) = (&theirs.train, &theirs.validation);
        let each_epoch = |_: &Epoch, _: &Network| Ok(());
        let fitted = fit(
            &theirs.network,
            0,
            train,
            validation,
            &plan,
            SEED,
            each_epoch,
        )
        .unwrap();
        assert_history(name, &fitted.history, &theirs.file.array("history"));
        assert_eq!(fitted.best, EPOCHS - 1);
        let compared = assert_parameters(&fitted.network, &theirs.file, "after", "");
        let expected = theirs.file.file();
        let names = expected.names().into_iter();
        assert_eq!(
            compared,
            names.filter(|name| name.starts_with("after.")).count()
        );
    }
}

/// Batch norm's running statistics move by a tenth of the batch's, whose variance is divided by n - 1.
#[test]
fn running_statistics_move_as_pytorchs() {
    let mut theirs = Networks::read("resnet", 3);
    let (x, class) = theirs.train.batch(&order(IMAGES, SEED, 0)[..8]);
    backward::step(
        &mut theirs.network,
        x,
        &class,
        &mut random::stream(0, "none"),
    );
    assert_eq!(
        assert_parameters(&theirs.network, &theirs.file, "first", "running"),
        12
    );
}

/// Compares the parameters with `part` in their names; gives how many these are.
pub fn assert_parameters(network: &Network, theirs: &Fixture, when: &str, part: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network");
    network.save(&path).unwrap();
    let ours = Fixture::at(&path);
    let file = ours.file();
    let names = file.names().into_iter().filter(|name| name.contains(part));
    let each = names.map(|name| {
        let [found, expected]: [ArrayD<f32>; 2] =
            [ours.array(name), theirs.array(&format!("{when}.{name}"))];
        let off = error(&found, &expected);
        assert!(off < 1e-4, "{name}: off by {off:e}");
    });
    each.count()
}
