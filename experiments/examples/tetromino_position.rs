//! Regression: networks learn how far down in the image a tetromino is, and explanations should show the tetromino.
// ANCHOR: benchmark
use ndarray::Axis;
use xai_core::network::{FirstWeights, Layer};
use xai_core::prelude::*;
use xai_core::tetromino::{Background, Protocol, Scenario, Size, Tetromino, TetrominoArgs};

/// The moved and rotated tetrominoes of XAI-TRIS. The number to predict is the height of the tetromino's centre, in units of
/// two pixels from the middle of the image. So only its pixels say what the number is.
#[derive(Clone)]
struct Position(Tetromino);

impl Benchmark for Position {
    const NAME: &'static str = "tetromino_position";
    type Args = TetrominoArgs;

    fn open(args: &TetrominoArgs, scale: Scale) -> Result<Self> {
        let mut base = Tetromino::open(args, scale)?;
        base.scenario = Scenario::TranslationsRotations;
        base.size = Size::Eight;
        base.defects = Protocol::Corrected.defects();
        base.most_explained = base.most_explained.min(200);
        Ok(Self(base))
    }

    fn identity(&self) -> serde_json::Value {
        self.0.identity()
    }

    fn classes(&self) -> Vec<String> {
        self.0.classes()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        let images = self.0.split(which, context)?;
        let mut heights = Vec::with_capacity(images.len());
        for mask in images
            .truth()
            .into_iter()
            .flat_map(|truth| truth.axis_iter(Axis(0)))
        {
            let rows = mask.indexed_iter().filter(|(_, set)| **set);
            let rows: Vec<f32> = rows.map(|((row, _), _)| row as f32).collect();
            let middle = (mask.nrows() as f32 - 1.0) / 2.0;
            heights.push((rows.iter().sum::<f32>() / rows.len() as f32 - middle) / 2.0);
        }
        images.with_response(heights)
    }

    fn explained(&self) -> usize {
        self.0.explained()
    }

    fn unused(&self, cells: &mut dyn Iterator<Item = Self>) -> Option<String> {
        self.0.unused(&mut cells.map(|cell| cell.0))
    }
}
// ANCHOR_END: benchmark

// ANCHOR: experiment
/// Do explanations show the tetromino whose position a network predicts? In smooth noise, a network also needs pixels
/// beside the tetromino, to subtract the noise.
#[experiment(select(max = |v| v.r2), snapshot = smoke)]
struct TetrominoPosition {
    #[axis([Background::White, Background::Correlated])]
    background: Background,
    // Units of the hidden layer. Without any, the model is linear.
    #[axis([0, 32])]
    hidden: usize,
    #[tune([0.001, 0.003])]
    rate: f64,
    #[seed(|scale| scale.pick(1, 3, 5))]
    seed: u64,
}

impl Run for TetrominoPosition {
    type Benchmark = Position;
    type Model = Network;

    fn benchmark(&self, base: &Position) -> Result<Position> {
        let mut variant = base.clone();
        variant.0.background = self.background;
        Ok(variant)
    }

    fn fit(&self, lab: &Lab<Position>) -> Result<Fitted<Network>> {
        let mut draw = FirstWeights::new(self.seed, lab.device());
        let mut layers = vec![Layer::Flatten];
        let mut values = 64;
        if self.hidden > 0 {
            layers.extend([draw.linear(values, self.hidden), Layer::Relu]);
            values = self.hidden;
        }
        layers.push(draw.linear(values, 1));
        let plan = TrainingPlan {
            checkpoint: CheckpointRule::BestMae,
            ..TrainingPlan::regression(Optimizer::Adam(self.rate), 40, 32)
        };
        lab.fit(&Training::new(Network::new(layers), plan, self.seed))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Position>) -> Result<Scores> {
        explain! { model = fitted.model, input = lab.test().all()?, score = Precision,
            methods = [Saliency, InputXGradient, IntegratedGradients { steps: 20 }, DeepLift, Lrp::epsilon(1e-6)]
        }
    }
}

fn main() -> ExitCode {
    xai_core::run::<TetrominoPosition>()
}
// ANCHOR_END: experiment
