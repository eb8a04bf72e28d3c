//! Your own model: a Burn module that is trained by an ordinary loop and explained with the gradients of autodiff.
// ANCHOR: module
use std::fs;
use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, Optimizer as _};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::activation::silu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use xai_core::device::{AutodiffBackend, AutodiffTensor, Device, seeded};
use xai_core::tetromino::prelude::*;
use xai_core::training::{argmax, softmax};

/// Two convolutions, means over 4 x 4 fields, and a fully connected layer.
#[derive(Module, Debug)]
struct Cnn<B: Backend> {
    first: Conv2d<B>,
    second: Conv2d<B>,
    pool: AdaptiveAvgPool2d,
    last: Linear<B>,
}

impl<B: Backend> Cnn<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            first: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            second: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            pool: AdaptiveAvgPool2dConfig::new([4, 4]).init(),
            last: LinearConfig::new(16 * 4 * 4, 2).init(device),
        }
    }

    /// Class scores `[n, 2]` of images `[n, 1, h, w]`.
    fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = silu(self.first.forward(images));
        let x = silu(self.second.forward(x));
        self.last.forward(self.pool.forward(x).flatten(1, 3))
    }
}
// ANCHOR_END: module

// ANCHOR: model
/// The module as an experiment stores it.
struct OwnModel(Cnn<AutodiffBackend>);

impl Model for OwnModel {
    fn save(&self, path: &Path) -> Result<()> {
        let recorder = BinBytesRecorder::<FullPrecisionSettings>::new();
        let bytes =
            Recorder::<AutodiffBackend>::record(&recorder, self.0.clone().into_record(), ());
        let bytes = bytes.map_err(|problem| Error::file(path, problem))?;
        fs::write(path, bytes).map_err(|problem| Error::file(path, problem))
    }

    fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = fs::read(path).map_err(|problem| Error::file(path, problem))?;
        let recorder = BinBytesRecorder::<FullPrecisionSettings>::new();
        let record = Recorder::<AutodiffBackend>::load(&recorder, bytes, device);
        let record = record.map_err(|problem| Error::file(path, problem))?;
        Ok(Self(Cnn::new(device).load_record(record)))
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let module = self.0.valid(); // without gradients
        let scores = images.scores(|images| module.forward(images));
        Ok(scores.iter().map(|scores| softmax(scores)).collect())
    }
}

impl OwnModel {
    /// Accuracy and mean cross-entropy.
    fn evaluate(&self, images: &Examples) -> Result<Validation> {
        let rows = self.predict(images)?;
        let count = rows.len() as f64;
        let right = rows.iter().zip(images.class());
        let right = right
            .filter(|(row, class)| argmax(row) == usize::from(**class))
            .count();
        let loss = rows.iter().zip(images.class());
        let loss = loss.map(|(row, &class)| -row[usize::from(class)].ln());
        Ok(Validation {
            accuracy: right as f64 / count,
            loss: loss.sum::<f64>() / count,
            ..Validation::default()
        })
    }
}
// ANCHOR_END: model

// ANCHOR: experiment
/// How well do gradients explain a module of Burn, trained with small or large batches?
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct BurnModule {
    #[axis([8, 32])]
    batch: usize,
    #[tune([0.003, 0.01])]
    rate: f64,
    #[seed(|scale| scale.pick(1, 2, 3))]
    seed: u64,
}

impl Run for BurnModule {
    type Benchmark = Tetromino;
    type Model = OwnModel;

    fn fit(&self, lab: &Lab) -> Result<Fitted<OwnModel>> {
        let [train, validation] = [
            lab.examples(Split::Train)?,
            lab.examples(Split::Validation)?,
        ];
        let mut model = OwnModel(seeded(self.seed, lab.device(), Cnn::new));
        let mut adam = AdamConfig::new().init();
        let cross_entropy = CrossEntropyLossConfig::new().init(lab.device());
        let mut rng = lab.stream("order of the images");
        let epochs = lab.scale().pick(10, 10, 20);
        let progress = lab.progress(epochs, "training");
        let mut history = Vec::new();
        for _ in 0..epochs {
            let mut order: Vec<usize> = (0..train.len()).collect();
            order.shuffle(&mut rng);
            for batch in order.chunks(self.batch) {
                let (images, class) = train.batch(batch);
                let class = TensorData::from(class.as_slice()).convert::<i32>();
                let class = Tensor::<AutodiffBackend, 1, Int>::from_data(class, lab.device());
                let scores = model.0.forward(AutodiffTensor::from_inner(images));
                let gradients = cross_entropy.forward(scores, class).backward();
                let gradients = GradientsParams::from_grads(gradients, &model.0);
                model.0 = adam.step(self.rate, model.0, gradients);
            }
            let Validation { accuracy, loss, .. } = model.evaluate(&train)?;
            let validation = model.evaluate(&validation)?;
            history.push(Epoch {
                accuracy,
                loss,
                validation,
            });
            progress.tick()?;
        }
        let last = history.last().map(|epoch| epoch.validation);
        Ok(Fitted {
            model,
            validation: last.unwrap_or_default(),
            history,
        })
    }

    #[allow(clippy::clone_on_copy, reason = "a GPU's device is no Copy")]
    fn test(&self, fitted: &Fitted<OwnModel>, lab: &Lab) -> Result<Scores> {
        let module = &fitted.model.0;
        explain!(
            model = BurnModel::new(|images| module.forward(images), lab.device().clone()),
            input = lab.test().classified_correctly_by(&fitted.model)?,
            methods = [Saliency, InputXGradient, IntegratedGradients { steps: 20 }],
            score = Precision
        )
    }
}

fn main() -> ExitCode {
    xai_core::run::<BurnModule>()
}
// ANCHOR_END: experiment
