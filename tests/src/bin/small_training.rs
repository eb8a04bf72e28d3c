//! The smallest experiment that trains networks on a device and explains them, for the tests of devices.

use burn::tensor::TensorData;
use ndarray::Array3;
use xai_core::device::{Device, Tensor};
use xai_core::network::ops::Window;
use xai_core::network::{Conv2d, Layer, Linear};
use xai_core::prelude::*;

/// A network of one convolution, with dropout.
#[experiment]
struct SmallTraining {
    /// Its channels.
    #[axis([4, 6])]
    width: u64,
}

const SIZE: usize = 12;

/// Stripes that lie (class 0) and that stand; the bright ones are the truth.
#[derive(Clone)]
struct Stripes;

impl Benchmark for Stripes {
    const NAME: &'static str = "stripes";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self)
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!(SIZE)
    }

    fn classes(&self) -> Vec<String> {
        vec!["lying".to_owned(), "standing".to_owned()]
    }

    fn split(&self, which: Split, _: &Context) -> Result<Dataset> {
        let count = if which == Split::Train { 32 } else { 8 };
        let class = (0..count).map(|image| (image % 2) as u8).collect();
        let images = Array3::from_shape_fn((count, SIZE, SIZE), |(image, y, x)| {
            let along = if image % 2 == 0 { y } else { x };
            0.5 + 0.4 * (1.1 * along as f32 + image as f32).sin()
        });
        let truth = images.mapv(|value| value > 0.6);
        Dataset::grey(images, class)?.with_truth(truth)
    }
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

impl Run for SmallTraining {
    type Benchmark = Stripes;
    type Model = Network;

    fn fit(&self, lab: &Lab<Stripes>) -> Result<Fitted<Network>> {
        let plan = TrainingPlan::new(Sgd::rate(0.05).momentum(0.5), 4, 8);
        let start = network(self.width as usize, lab.device());
        lab.fit(&Training::new(start, plan, 0))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Stripes>) -> Result<Scores> {
        Panel::new()
            .with(IntegratedGradients { steps: 8 })
            .with(GuidedBackprop)
            .score(&fitted.model, &lab.test().all()?, &Precision)
    }
}

fn main() -> ExitCode {
    xai_core::run::<SmallTraining>()
}
