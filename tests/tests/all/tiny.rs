//! Training of tiny networks, compared with PyTorch (`fixtures/tetromino/training.py`).

use ndarray::{Array1, Array2, Array4};
use tests::{Fixture, largest};
use xai_core::device::{DeviceChoice, Tensor};
use xai_core::network::{Layer, Linear, Network, json};
use xai_core::training::{Rows, TinySchedule, fit_tiny, tiny_gradients};

const SHAPE: [usize; 3] = [1, 8, 8];
/// Images to train on; the other 40 are for validation.
const TRAIN: usize = 80;

struct Case {
    fixture: Fixture,
    network: Network,
    pixels: Vec<f32>,
    class: Vec<u8>,
}

impl Case {
    fn read(name: &str) -> Self {
        let fixture = Fixture::read(&format!("tetromino/{name}.safetensors"));
        let images: Array4<f32> = fixture.array("images");
        let class: Array1<f32> = fixture.array("class");
        Self {
            network: fixture.network(),
            pixels: images.into_raw_vec_and_offset().0,
            class: class.iter().map(|&class| class as u8).collect(),
            fixture,
        }
    }

    fn train(&self) -> Rows<'_> {
        Rows {
            pixels: &self.pixels[..TRAIN * 64],
            class: &self.class[..TRAIN],
        }
    }

    fn validation(&self) -> Rows<'_> {
        Rows {
            pixels: &self.pixels[TRAIN * 64..],
            class: &self.class[TRAIN..],
        }
    }

    /// All tensors of this prefix, layer by layer, weight before bias.
    fn parameters(&self, prefix: &str) -> Vec<f32> {
        let layers = 0..self.network.layers.len();
        let names =
            layers.flat_map(|at| ["weight", "bias"].map(|kind| format!("{prefix}{at}.{kind}")));
        names
            .filter_map(|name| self.fixture.find(&name))
            .flatten()
            .collect()
    }
}

const MODELS: [&str; 6] = [
    "linear",
    "mlp",
    "cnn",
    "linear_softmax",
    "mlp_softmax",
    "cnn_softmax",
];

fn parameters(network: &Network) -> Vec<f32> {
    let mut values = Vec::new();
    for layer in &network.layers {
        let (weight, bias) = match layer {
            Layer::Conv2d(conv) => (conv.weight.to_data(), &conv.bias),
            Layer::Linear(linear) => (linear.weight.to_data(), &linear.bias),
            _ => continue,
        };
        values.extend(weight.into_vec::<f32>().unwrap());
        values.extend(
            bias.iter()
                .flat_map(|bias| bias.to_data().into_vec::<f32>().unwrap()),
        );
    }
    values
}

#[track_caller]
fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let differences: Vec<f32> = found.iter().zip(wanted).map(|(a, b)| a - b).collect();
    let off = largest(&differences) / largest(wanted);
    assert!(off <= tolerance, "{what}: off by {off:e}");
}

#[test]
fn gradients_are_torchs() {
    for name in MODELS {
        let case = Case::read(name);
        let (loss, found) = tiny_gradients(&case.network, SHAPE, case.train()).unwrap();
        assert_close(&found, &case.parameters("gradient/"), 2e-5, name);
        let history: Array2<f32> = case.fixture.array("history");
        assert!(
            (loss as f32 - history[[0, 1]]).abs() < 1e-5,
            "{name}: {loss}"
        );
    }
}

/// The softmax of several positions would be another function here than in `Network::forward`.
#[test]
fn a_softmax_of_several_positions_is_an_error() {
    let device = DeviceChoice::Flex.open().unwrap();
    let network = |last: &str| {
        let layers = format!(
            r#"[{{"conv2d": {{"in": 1, "out": 2, "kernel": 1}}}}, {last}, "flatten", {{"linear": {{"in": 128, "out": 2}}}}, "softmax"]"#
        );
        json::init(&layers, 0, &device).unwrap()
    };
    let (pixels, class) = (vec![0.5; 128], vec![0, 1]);
    let rows = Rows {
        pixels: &pixels,
        class: &class,
    };
    assert!(tiny_gradients(&network(r#""relu""#), SHAPE, rows).is_ok());
    let problem = tiny_gradients(&network(r#""softmax""#), SHAPE, rows).unwrap_err();
    let problem = problem.to_string();
    assert!(
        problem.contains("layer 1") && problem.contains("a softmax of one position"),
        "{problem}"
    );
}

#[test]
fn trainings_are_torchs() {
    for name in MODELS {
        let case = Case::read(name);
        let schedule = TinySchedule {
            rate: 0.01,
            epochs: 30,
            batch: TRAIN,
            dropout_in_validation: false,
        };
        let fit = fit_tiny(
            &case.network,
            SHAPE,
            case.train(),
            case.validation(),
            &schedule,
            0,
            |_| Ok(()),
        )
        .unwrap();
        let history: Array2<f32> = case.fixture.array("history");
        for (epoch, (now, wanted)) in fit.history.iter().zip(history.rows()).enumerate() {
            let found = [
                now.accuracy,
                now.loss,
                now.validation.accuracy,
                now.validation.loss,
            ];
            for (found, &wanted) in found.into_iter().zip(wanted) {
                assert!(
                    (found as f32 - wanted).abs() < 2e-4,
                    "{name}, epoch {epoch}: {found}, not {wanted}"
                );
            }
        }
        let best: Array1<f32> = case.fixture.array("best");
        assert_eq!(fit.best, best[0] as usize, "{name}");
        assert_close(
            &parameters(&fit.network),
            &case.parameters("trained/"),
            2e-4,
            name,
        );
    }
}

/// Batches of any size, the last one short, order drawn by the seed: the same seed gives the same network, another one
/// another; and it learns.
#[test]
fn batches_and_seeds() {
    let case = Case::read("mlp");
    let train = |seed: u64, batch: usize| {
        let schedule = TinySchedule {
            rate: 0.005,
            epochs: 40,
            batch,
            dropout_in_validation: false,
        };
        fit_tiny(
            &case.network,
            SHAPE,
            case.train(),
            case.validation(),
            &schedule,
            seed,
            |_| Ok(()),
        )
        .unwrap()
    };
    let fit = train(1, 33);
    assert!(fit.history[39].accuracy > 0.95, "{:?}", fit.history[39]);
    assert_eq!(parameters(&fit.network), parameters(&train(1, 33).network));
    assert_ne!(parameters(&fit.network), parameters(&train(2, 33).network));
    // Of batches of one size, the sum of their losses is least where their mean is.
    let fit = train(1, 20);
    let losses = fit.history.iter().map(|epoch| epoch.validation.loss);
    let least = losses.fold(f64::INFINITY, f64::min);
    assert!(fit.history[fit.best].validation.loss < least + 1e-9);
}

/// A linear network of these weights, one row per class, with a dropout before it.
fn with_dropout(weight: [[f32; 4]; 2], rate: f64) -> Network {
    let linear = Linear {
        weight: Tensor::from_data(weight, &DeviceChoice::Flex.open().unwrap()),
        bias: None,
    };
    Network::new(vec![
        Layer::Flatten,
        Layer::Dropout(rate),
        Layer::Linear(linear),
    ])
}

/// The mean loss over all 16 masks of four pixels of 1 and class 1, and the mean gradient of the second row of weights,
/// each mask with its probability.
fn over_all_masks(weight: [[f32; 4]; 2], rate: f64) -> (f64, [f64; 4]) {
    let (mut loss, mut gradient) = (0.0, [0.0; 4]);
    for mask in 0..16_u32 {
        let kept = |pixel: usize| mask >> pixel & 1 == 1;
        let mut probability = 1.0;
        let mut logits = [0.0; 2];
        for pixel in 0..4 {
            probability *= if kept(pixel) { 1.0 - rate } else { rate };
            if kept(pixel) {
                for (logit, weight) in logits.iter_mut().zip(weight) {
                    *logit += f64::from(weight[pixel]) / (1.0 - rate);
                }
            }
        }
        let wrong = 1.0 / (1.0 + (logits[1] - logits[0]).exp());
        loss -= probability * (1.0 - wrong).ln();
        for (pixel, gradient) in gradient.iter_mut().enumerate() {
            if kept(pixel) {
                *gradient -= probability * wrong / (1.0 - rate);
            }
        }
    }
    (loss, gradient)
}

/// Losses and gradients under dropout have the expectation of their definition. The standard error of 40,000 images is
/// about 0.004.
#[test]
fn dropout_has_its_expectation() {
    let (weight, rate, images) = (
        [[0.5, -1.0, 0.25, 1.0], [1.0, 0.5, -0.75, 2.0]],
        0.3,
        40_000,
    );
    let network = with_dropout(weight, rate);
    let (pixels, class) = (vec![1.0; images * 4], vec![1; images]);
    let rows = || Rows {
        pixels: &pixels,
        class: &class,
    };
    let (wanted, gradient) = over_all_masks(weight, rate);
    let (loss, found) = tiny_gradients(&network, [1, 2, 2], rows()).unwrap();
    assert!((loss - wanted).abs() < 0.02, "{loss}, not {wanted}");
    for (found, wanted) in found[4..].iter().zip(gradient) {
        let found = f64::from(*found);
        assert!((found - wanted).abs() < 0.02, "{found}, not {wanted}");
    }

    let validation = |dropout_in_validation| {
        let schedule = TinySchedule {
            rate: 0.0,
            epochs: 1,
            batch: 512,
            dropout_in_validation,
        };
        let fit = fit_tiny(
            &network,
            [1, 2, 2],
            rows(),
            rows(),
            &schedule,
            0,
            |_| Ok(()),
        )
        .unwrap();
        fit.history[0].validation.loss
    };
    let (on, off) = (validation(true), validation(false));
    assert!((on - wanted).abs() < 0.02, "{on}, not {wanted}");
    let without = over_all_masks(weight, 0.0).0;
    assert!((off - without).abs() < 1e-6, "{off}, not {without}");
    assert!((wanted - without).abs() > 0.1);
}

/// The checkpoint has the least sum of the batches' mean losses, as in the public code, and not the least mean loss. Two
/// images of class 1 in one batch and one of class 0 in the next weigh the same, so the best probability of class 1 is
/// 1/2 and not 2/3.
#[test]
fn the_last_short_batch_weighs_as_much_as_the_others() {
    let network = with_dropout([[0.0; 4]; 2], 0.0);
    let pixels = [1.0; 12];
    let best = |class: &[u8], batch| {
        let schedule = TinySchedule {
            rate: 0.01,
            epochs: 20,
            batch,
            dropout_in_validation: false,
        };
        let rows = |class| Rows {
            pixels: &pixels[..],
            class,
        };
        // Every step raises the probability of class 1.
        let fit = fit_tiny(
            &network,
            [1, 2, 2],
            rows(&[1; 3]),
            rows(class),
            &schedule,
            0,
            |_| Ok(()),
        );
        fit.unwrap().best
    };
    assert_eq!(best(&[1, 1, 0], 2), 0);
    assert!(best(&[1, 1, 0], 3) > 0);
    assert_eq!(best(&[0, 0, 1], 2), 0);
    assert_eq!(best(&[1, 1, 1], 2), 19);
}

#[test]
fn what_cannot_be_trained_is_said() {
    let case = Case::read("cnn");
    let schedule = TinySchedule {
        rate: 0.005,
        epochs: 0,
        batch: 16,
        dropout_in_validation: false,
    };
    let problem = |network: &Network, shape, schedule: &TinySchedule| {
        let fit = fit_tiny(
            network,
            shape,
            case.train(),
            case.validation(),
            schedule,
            0,
            |_| Ok(()),
        );
        fit.map(|_| ()).unwrap_err().to_string()
    };
    assert!(problem(&case.network, SHAPE, &schedule).contains("no epochs"));
    let wide = TinySchedule {
        rate: 1e39,
        epochs: 3,
        ..schedule
    };
    assert!(problem(&case.network, SHAPE, &wide).contains("is too large"));
    assert!(problem(&case.network, [1, 40, 40], &wide).contains("of the network"));
    assert!(problem(&case.network, [1, 9, 9], &wide).contains("80 images of 81 pixels"));
    let mut other = case.network.clone();
    other.layers.insert(1, Layer::AdaptiveAvgPool2d([4, 4]));
    assert!(problem(&other, SHAPE, &wide).contains("layer 1 of the network is none of those"));
}
