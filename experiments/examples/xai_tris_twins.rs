//! Do the published maps of PatternNet, PatternAttribution and deep Taylor decomposition fit networks that were trained
//! as in Keras?
//!
//! The paper computes these three with iNNvestigate, which needs Keras. It therefore trained a second set of networks.
//! Their loss applies one softmax, not two (X1). All five runs of the paper start from the same weights: truncated normal
//! with a deviation of sqrt(2 / inputs), and biases of 0.

use experiments::xai_tris::{PUBLISHED, medians};
use xai_core::attribution::PatternEstimator;
use xai_core::tetromino::Defect;
use xai_core::tetromino::prelude::*;

/// The end of the name of a method whose patterns were fitted as if a ReLU followed every layer, as
/// iNNvestigate does by default.
const EVERYWHERE: &str = "_relu";

/// The loss of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Level)]
enum Loss {
    /// As in the PyTorch networks: softmax twice.
    TwoSoftmax,
    /// As in the Keras networks.
    OneSoftmax,
}

/// Does one softmax instead of two explain the published scores of the methods that were computed with Keras?
#[experiment]
struct XaiTrisTwins {
    #[axis([Background::White, Background::Correlated])]
    background: Background,
    #[axis([Architecture::Linear, Architecture::Mlp])]
    model: Architecture,
    #[axis]
    loss: Loss,
    #[seed(|scale| scale.pick(1, 5, 5))]
    seed: u64,
}

impl Run for XaiTrisTwins {
    type Benchmark = Tetromino;
    type Model = Network;

    /// The linear scenario at 8 x 8, where the published maps differ most from ours.
    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        let mut variant = Tetromino::new(
            Scenario::Linear,
            self.background,
            Size::Eight,
            Protocol::Published,
        );
        variant.count = variant.count.min(base.count);
        variant.most_explained = base.most_explained;
        if self.loss == Loss::OneSoftmax {
            variant.defects = variant.defects.without(Defect::X1);
        }
        Ok(variant)
    }

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_model(self.model, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all_tested_here()?;
        let model = &fitted.model;
        let mut scores = lab.explain_as_keras(model, &images, PatternEstimator::Linear)?;
        let everywhere = PatternEstimator::ReluEverywhere;
        let others = lab.explain_as_keras(model, &images, everywhere)?;
        let of_patterns = others
            .into_iter()
            .filter(|score| score.method.starts_with("pattern"));
        scores.extend(of_patterns.map(|score| Score {
            method: format!("{}{EVERYWHERE}", score.method),
            ..score
        }));
        Ok(scores)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let of = |loss: Loss| {
            let winners = results.winners();
            let chosen = winners.filter(move |(cell, _)| cell.parameters.loss == loss);
            medians(chosen.map(|(cell, tested)| {
                let XaiTrisTwins {
                    background, model, ..
                } = cell.parameters;
                let names = [Scenario::Linear.name(), background.name(), model.name()];
                (names.map(str::to_owned), &tested.scores)
            }))
        };
        let (two, one) = (of(Loss::TwoSoftmax), of(Loss::OneSoftmax));
        let columns = [
            "background",
            "model",
            "method",
            "published precision",
            "two softmax",
            "one softmax",
            "one softmax, ReLU everywhere",
            "published emd",
            "two softmax: emd",
            "one softmax: emd",
            "one softmax, ReLU everywhere: emd",
        ];
        let mut table = Table::new("twins", "Published with Keras, and ours", columns);
        for published in PUBLISHED.iter() {
            let key = (published.cell.clone(), published.method.clone());
            let everywhere = (key.0.clone(), format!("{}{EVERYWHERE}", key.1));
            let everywhere = one.get(&everywhere);
            let (Some(two), Some(one)) = (two.get(&key), one.get(&key)) else {
                continue;
            };
            let [_, background, model] = &published.cell;
            table.row([
                background.as_str().into(),
                model.as_str().into(),
                published.method.as_str().into(),
                published.precision.into(),
                two.precision.into(),
                one.precision.into(),
                everywhere.map(|of| of.precision).into(),
                published.emd.into(),
                two.emd.into(),
                one.emd.into(),
                everywhere.map(|of| of.emd).into(),
            ]);
        }
        analysis
            .table(table.caption("Precision is the mean, emd the median over images and runs."));
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<XaiTrisTwins>()
}
