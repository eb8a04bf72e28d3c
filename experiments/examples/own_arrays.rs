//! Your own images, masks and classes: `cargo run --release --example own_arrays -- --arrays DIR`.
// ANCHOR: file
use xai_core::arrays::prelude::*;
use xai_core::network::ops::Window;
use xai_core::network::{FirstWeights, Layer};

/// Are the explanations of a wider network better on these images?
#[experiment(select(max = |v| v.accuracy))]
struct OwnArrays {
    #[axis([8, 16])]
    width: usize,
    #[tune(|scale| scale.pick(vec![0.003], vec![0.001, 0.003], vec![0.0003, 0.001, 0.003]))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 2, 3))]
    seed: u64,
}

impl Run for OwnArrays {
    type Benchmark = Arrays;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let [channels, ..] = lab.train()?.image_shape();
        let classes = lab.benchmark().classes().len();
        let mut draw = FirstWeights::new(self.seed, lab.device());
        let network = Network::new(vec![
            draw.conv2d(channels, self.width, 3),
            Layer::Relu,
            Layer::MaxPool2d(Window::square(2)),
            draw.conv2d(self.width, 2 * self.width, 3),
            Layer::Relu,
            Layer::AdaptiveAvgPool2d([4, 4]),
            Layer::Flatten,
            draw.linear(2 * self.width * 4 * 4, classes),
        ]);
        let plan = TrainingPlan::new(Optimizer::Adam(self.rate), lab.scale().pick(10, 20, 40), 16);
        lab.fit(&Training::new(network, plan, self.seed))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain!(
            model = fitted.model,
            input = lab.test().classified_correctly_by_all()?,
            methods = [
                InputXGradient,
                IntegratedGradients { steps: 20 },
                Lrp::epsilon(1e-6)
            ],
            combine = Channels::Sum, // for any number of channels
            score = Precision
        )
    }
}

fn main() -> ExitCode {
    xai_core::run::<OwnArrays>()
}
// ANCHOR_END: file
