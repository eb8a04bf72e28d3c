//! Your own benchmark in one file: bars on textured noise, and an experiment on them.
// ANCHOR: benchmark
use ndarray::{Array2, Array3, s};
use rand::Rng;
use serde_json::json;
use xai_core::image::gaussian;
use xai_core::network::{FirstWeights, Layer};
use xai_core::prelude::*;
use xai_core::random;

/// A horizontal or vertical bar. Its direction is the class. The texture carries no information
/// about the class, so the truth is the pixels of the bar.
#[derive(Clone)]
struct Bars {
    size: usize,
    counts: [usize; 3],
}

/// Width and length of a bar in pixels.
const BAR: [usize; 2] = [2, 9];

impl Benchmark for Bars {
    const NAME: &'static str = "bars";
    type Args = NoArgs;

    fn open(_: &NoArgs, scale: Scale) -> Result<Self> {
        Ok(Self {
            size: scale.pick(20, 32, 64),
            counts: scale.pick([96, 48, 48], [1_000, 250, 250], [10_000, 1_000, 1_000]),
        })
    }

    /// Everything that determines the images. Increase `version` if the code below makes different
    /// images.
    fn identity(&self) -> serde_json::Value {
        json!({ "size": self.size, "counts": self.counts, "version": 1 })
    }

    fn classes(&self) -> Vec<String> {
        ["lying bar", "standing bar"].map(str::to_owned).to_vec()
    }

    fn split(&self, which: Split, _: &Context) -> Result<Dataset> {
        let (count, size) = (self.counts[which as usize], self.size);
        let mut images = Array3::zeros((count, size, size));
        let mut truth = Array3::from_elem((count, size, size), false);
        let class: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
        for (image, &class) in class.iter().enumerate() {
            let mut rng = random::stream(0, &format!("bars/{which}/{image}"));
            let noise = Array2::from_shape_simple_fn((size, size), || rng.random_range(-1.0..1.0));
            let texture = gaussian(noise.view(), 1.0).mapv(|value| value as f32);
            images.slice_mut(s![image, .., ..]).assign(&texture);
            let [height, width] = [BAR, [BAR[1], BAR[0]]][usize::from(class)];
            let [top, left] = [height, width].map(|side| rng.random_range(0..=size - side));
            let bar = s![image, top..top + height, left..left + width];
            images.slice_mut(bar).mapv_inplace(|value: f32| value + 0.6);
            truth.slice_mut(bar).fill(true);
        }
        Dataset::grey(images, class)?.with_truth(truth)
    }
}
// ANCHOR_END: benchmark

// ANCHOR: experiment
/// Do explanations of a wider network find the bars better?
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct OwnBenchmark {
    #[axis([8, 16])]
    channels: usize,
    #[tune([0.003, 0.01])]
    rate: f64,
    #[seed(|scale| scale.pick(1, 2, 3))]
    seed: u64,
}

impl Run for OwnBenchmark {
    type Benchmark = Bars;
    type Model = Network;

    fn fit(&self, lab: &Lab<Bars>) -> Result<Fitted<Network>> {
        let mut draw = FirstWeights::new(self.seed, lab.device());
        let network = Network::new(vec![
            draw.conv2d(1, self.channels, 5),
            Layer::Relu,
            draw.conv2d(self.channels, self.channels, 5),
            Layer::Relu,
            Layer::AdaptiveAvgPool2d([1, 1]),
            Layer::Flatten,
            draw.linear(self.channels, 2),
        ]);
        let plan = TrainingPlan::new(Optimizer::Adam(self.rate), lab.scale().pick(10, 10, 20), 16);
        lab.fit(&Training::new(network, plan, self.seed))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Bars>) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        explain! { model = fitted.model, input = images, score = Precision,
            methods = [Saliency, IntegratedGradients { steps: 20 }, Lrp::epsilon(1e-6)]
        }
    }
}

fn main() -> ExitCode {
    xai_core::run::<OwnBenchmark>()
}
// ANCHOR_END: experiment
