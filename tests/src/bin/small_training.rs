//! The smallest experiment that trains networks on a device and explains them, for the tests of devices.

use std::path::Path;

use burn::tensor::TensorData;
use ndarray::{Array3, s};
use xai_core::attribution::{GuidedBackprop, Images, IntegratedGradients, Panel};
use xai_core::device::{Device, Tensor};
use xai_core::network::ops::Window;
use xai_core::network::{Conv2d, Layer, Linear};
use xai_core::prelude::*;
use xai_core::training::{Examples, Schedule, fit};

/// A network of one convolution, with dropout.
#[experiment]
struct SmallTraining {
    /// Its channels.
    #[axis([4, 6])]
    width: u64,
}

const SIZE: usize = 12;

/// Stripes that lie (class 0) and that stand.
fn pictures(count: usize) -> (Array3<f32>, Vec<u8>) {
    let class: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
    let images = Array3::from_shape_fn((count, SIZE, SIZE), |(image, y, x)| {
        let along = if image % 2 == 0 { y } else { x };
        0.5 + 0.4 * (1.1 * along as f32 + image as f32).sin()
    });
    (images, class)
}

fn network(width: usize, device: &Device) -> Network {
    fn weight<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let count = shape.iter().product::<usize>();
        let numbers = (0..count)
            .map(|at| 0.3 * ((at * at) as f32).sin())
            .collect();
        Tensor::from_data(TensorData::new::<f32, _>(numbers, shape), device)
    }
    let zeros = |count| Some(Tensor::zeros([count], device));
    let pool = Window {
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    };
    let features = width * (SIZE / 2) * (SIZE / 2);
    Network::new(vec![
        Layer::Conv2d(Conv2d::new(
            weight([width, 3, 3, 3], device),
            zeros(width),
            [1, 1],
            [1, 1],
        )),
        Layer::Relu,
        Layer::MaxPool2d(pool),
        Layer::Flatten,
        Layer::Dropout(0.25),
        Layer::Linear(Linear {
            weight: weight([2, features], device),
            bias: zeros(2),
        }),
    ])
}

struct Small(Network);

impl Model for Small {
    fn save(&self, path: &Path) -> Result<()> {
        self.0.save(path)
    }

    fn load(path: &Path, lab: &Lab) -> Result<Self> {
        Network::load(path, lab.device()).map(Self)
    }

    fn predict(&self, lab: &Lab) -> Result<Vec<Vec<f64>>> {
        let (images, class) = pictures(8);
        let examples = Examples::of_images(images.view(), &class, lab.device());
        let logits = examples.logits(&self.0, "test").into_iter();
        Ok(logits
            .map(|row| row.into_iter().map(f64::from).collect())
            .collect())
    }

    fn classes(_: &Lab) -> Result<Vec<u8>> {
        Ok(pictures(8).1)
    }
}

impl Run for SmallTraining {
    type Model = Small;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Small>> {
        let (images, class) = pictures(32);
        let examples = Examples::of_images(images.view(), &class, lab.device());
        let schedule = Schedule {
            epochs: 4,
            batch: 8,
            ..Schedule::paper(Sgd::rate(0.05).momentum(0.5))
        };
        let start = network(self.width as usize, lab.device());
        let progress = lab.progress(4, "training");
        let fit = fit(&start, 0, &examples, &examples, &schedule, 0, |_, _| {
            progress.tick()
        })?;
        Ok(Fitted {
            validation: fit.history[fit.best].validation,
            history: fit.history,
            model: Small(fit.network),
        })
    }

    fn test(&self, fitted: &Fitted<Small>, _: &Lab) -> Result<Scores> {
        let (images, class) = pictures(8);
        let truth = images.mapv(|value| value > 0.6);
        let images = Images::grey(
            images.slice(s![..4, .., ..]).to_owned(),
            class[..4].to_vec(),
        )
        .with_truth(truth.slice(s![..4, .., ..]).to_owned());
        Panel::new()
            .with(IntegratedGradients { steps: 8 })
            .with(GuidedBackprop)
            .score(&fitted.model.0, &images, &Precision)
    }
}

fn main() -> ExitCode {
    xai_core::run::<SmallTraining>()
}
