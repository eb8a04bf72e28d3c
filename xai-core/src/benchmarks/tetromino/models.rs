//! The three kinds of model: their initial weights and their training.

use burn::tensor::TensorData;
use rand::Rng;
use rand_distr::{Distribution, Normal};
use serde_json::json;
use xai_macros::Level;

use super::{Defect, Defects, Size, Tetromino};
use crate::dataset::Split;
use crate::device::{Device, Tensor};
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::key::FIT_CODE;
use crate::network::ops::Window;
use crate::network::{Conv2d, Layer, Linear, Network};
use crate::random;
use crate::sweep::context::{Fitted, Lab};
use crate::training::{Epoch, Rows, TinySchedule, fit_tiny};

/// A kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
pub enum Architecture {
    /// LLR: one linear layer without bias. It can learn only the linear scenario.
    #[level(title = "Linear model")]
    Linear,
    /// Fully connected layers.
    #[level(title = "MLP")]
    Mlp,
    /// Four blocks of a convolution, a ReLU and a maximum pooling.
    #[level(title = "CNN")]
    Cnn,
}

/// An untrained model. Its weights come from the random stream of `seed`: normal with a deviation
/// of sqrt(2 / inputs), also in the last layer. Biases are uniform within 1 / sqrt(inputs).
///
/// With X1, it ends in a softmax.
pub fn network(
    architecture: Architecture,
    size: Size,
    defects: Defects,
    seed: u64,
    device: &Device,
) -> Network {
    let mut rng = random::stream(seed, "tetromino/weights");
    let mut draw = |shape: &[usize], bias: bool| {
        let inputs = shape[1..].iter().product::<usize>() as f64;
        let normal = Normal::new(0.0, (2.0 / inputs).sqrt()).expect("a finite deviation");
        let count = shape.iter().product();
        let weight: Vec<f32> = (0..count).map(|_| normal.sample(&mut rng) as f32).collect();
        let bound = (1.0 / inputs.sqrt()) as f32;
        let bias = bias.then(|| {
            let values: Vec<f32> = (0..shape[0])
                .map(|_| rng.random_range(-bound..bound))
                .collect();
            Tensor::<1>::from_data(TensorData::new(values, [shape[0]]), device)
        });
        (TensorData::new(weight, shape.to_vec()), bias)
    };
    let mut linear = |inputs: usize, out: usize, bias: bool| {
        let (weight, bias) = draw(&[out, inputs], bias);
        Layer::Linear(Linear {
            weight: Tensor::from_data(weight, device),
            bias,
        })
    };
    let pixels = size.side().pow(2);
    let mut layers = Vec::new();
    match (architecture, size) {
        (Architecture::Linear, _) => layers.extend([Layer::Flatten, linear(pixels, 2, false)]),
        (Architecture::Mlp, _) => {
            let widths = match size {
                Size::Eight => vec![pixels, 32, 16, 8, 2],
                Size::SixtyFour => vec![pixels, 256, 256, 64, 2],
            };
            layers.push(Layer::Flatten);
            for (at, pair) in widths.windows(2).enumerate() {
                if at > 0 {
                    layers.push(Layer::Relu);
                    if size == Size::SixtyFour {
                        layers.push(Layer::Dropout(DROPOUT));
                    }
                }
                layers.push(linear(pair[0], pair[1], size == Size::Eight));
            }
        }
        (Architecture::Cnn, _) => {
            let (kernel, channels, features) = match size {
                Size::Eight => (2, [1, 4, 4, 4, 4], 4),
                Size::SixtyFour => (4, [1, 4, 8, 16, 32], 288),
            };
            for pair in channels.windows(2) {
                let (weight, bias) = draw(&[pair[1], pair[0], kernel, kernel], true);
                let weight = Tensor::from_data(weight, device);
                layers.extend([
                    Layer::Conv2d(Conv2d::new(weight, bias, [1, 1], [1, 1])),
                    Layer::Relu,
                    Layer::MaxPool2d(Window::square(2)),
                ]);
            }
            let (weight, bias) = draw(&[2, features], size == Size::Eight);
            let weight = Tensor::from_data(weight, device);
            layers.extend([Layer::Flatten, Layer::Linear(Linear { weight, bias })]);
        }
    }
    if defects.has(Defect::X1) {
        layers.push(Layer::Softmax);
    }
    Network::new(layers)
}

/// The part of a trained model that methods explain. With X2, it is the probabilities. Otherwise it
/// is the difference of the two logits, to which weights that training never moved contribute
/// nothing.
pub fn explained(model: &Network, defects: Defects) -> Network {
    match (defects.has(Defect::X2), model.layers.last()) {
        (true, Some(Layer::Softmax)) => model.clone(),
        (true, _) => {
            let mut model = model.clone();
            model.layers.push(Layer::Softmax);
            model
        }
        (false, _) => differences(&logits(model)),
    }
}

/// The model without its softmax, if it ends in one.
pub(super) fn logits(model: &Network) -> Network {
    let mut model = model.clone();
    if let Some(Layer::Softmax) = model.layers.last() {
        model.layers.pop();
    }
    model
}

/// The model whose score of each class is the class's logit minus the other logit.
fn differences(model: &Network) -> Network {
    let mut model = model.clone();
    if let Some(Layer::Linear(last)) = model.layers.last_mut() {
        last.weight = last.weight.clone() - last.weight.clone().flip([0]);
        last.bias = last
            .bias
            .as_ref()
            .map(|bias| bias.clone() - bias.clone().flip([0]));
    }
    model
}

/// The dropout probability of the 64 x 64 MLP.
const DROPOUT: f64 = 0.3;

/// The paper's learning rate of Adam, number of epochs and batch size.
const SCHEDULE: TinySchedule = TinySchedule {
    rate: 0.0005,
    epochs: 500,
    batch: 512,
    dropout_in_validation: false,
};

impl Lab<Tetromino> {
    /// Trains a model on the images of this laboratory. The checkpoint is the epoch with the lowest
    /// validation loss.
    ///
    /// It trains for 500 epochs as in the paper, or for 300 at smoke scale. The result is stored as a
    /// stage. A second call with the same settings reads it.
    ///
    /// # Errors
    /// If the training is interrupted or diverges, or if its stage cannot be written.
    pub fn train_model(&self, architecture: Architecture, seed: u64) -> Result<Fitted<Network>> {
        let benchmark = self.benchmark();
        let (size, defects) = (benchmark.size, benchmark.defects);
        let start = network(architecture, size, defects, seed, self.device());
        self.train_network(&start, seed)
    }

    /// Trains a network of one's own as [`train_model`](Self::train_model) trains those of the paper. `seed` draws the order of
    /// images and the dropout.
    ///
    /// # Errors
    /// As [`train_model`](Self::train_model); if `start` has a layer that small trainings do not support, or does not fit the
    /// images.
    pub fn train_network(&self, start: &Network, seed: u64) -> Result<Fitted<Network>> {
        // The model is never put in evaluation mode (X4): dropout is on in validation and in the
        // resulting network.
        let defects = self.benchmark().defects;
        let schedule = TinySchedule {
            epochs: self.scale().pick(300, 500, 500),
            dropout_in_validation: defects.has(Defect::X4),
            ..SCHEDULE
        };
        let fitted = self.train_by(start, &schedule, seed)?;
        let dropout = |layer: &Layer| matches!(layer, Layer::Dropout(_));
        if !defects.has(Defect::X4) || !fitted.model.layers.iter().any(dropout) {
            return Ok(fitted);
        }
        Ok(Fitted {
            model: fitted.model.with_active_dropout(seed),
            ..fitted
        })
    }

    fn train_by(
        &self,
        start: &Network,
        schedule: &TinySchedule,
        seed: u64,
    ) -> Result<Fitted<Network>> {
        let benchmark = self.benchmark();
        let [train, validation] = [
            self.dataset(Split::Train)?,
            self.dataset(Split::Validation)?,
        ];
        let inputs = json!({
            "start": start.fingerprint(),
            "schedule": format!("{schedule:?}"),
            "seed": seed,
            "images": [train.key(), validation.key()],
            "code": FIT_CODE,
        });
        let bar = self.progress(schedule.epochs, "training");
        let folder = self.stage("training-tiny", &inputs, |folder| {
            self.end_of_shared_stages()?;
            // Images are one after the other, unless they were put in another order, so nothing is copied.
            let [of_train, of_validation] =
                [&train, &validation].map(|set| set.images().as_standard_layout());
            let [of_train, of_validation] = [&of_train, &of_validation]
                .map(|rows| rows.as_slice().expect("in standard layout"));
            let side = benchmark.size.side();
            let fit = fit_tiny(
                start,
                [1, side, side],
                Rows {
                    pixels: of_train,
                    class: train.class(),
                },
                Rows {
                    pixels: of_validation,
                    class: validation.class(),
                },
                schedule,
                seed,
                |_| bar.tick(),
            )?;
            fit.network.save(&folder.join("network.safetensors"))?;
            write_json(&folder.join("history.json"), &(fit.best, fit.history))
        })?;
        let path = folder.join("history.json");
        let text = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let (best, history): (usize, Vec<Epoch>) =
            serde_json::from_slice(&text).map_err(|error| {
                Error::file(
                    &path,
                    format!("damaged ({error}); delete its folder and run again"),
                )
            })?;
        Ok(Fitted {
            model: Network::load(&folder.join("network.safetensors"), self.device())?,
            validation: history[best].validation,
            history,
        })
    }
}
