//! The three methods of XAI-TRIS that its public code computes by Keras and iNNvestigate, on the networks that they explain there.
//!
//! PatternNet, PatternAttribution and deep Taylor decomposition explain networks of their own. These have other layers, their loss
//! applies one softmax instead of two, and all five runs begin from the same weights (`experiments/src/xai_tris/keras.rs`).
//! `tests/compare_keras.py` does the same in NumPy and PyTorch.

use experiments::xai_tris::{compare, keras_network, medians, names};
use xai_core::attribution::PatternEstimator;
use xai_core::tetromino::prelude::*;
use xai_core::tetromino::{Defect, Size};

/// Do the methods that were published with Keras have the published scores on Keras's networks?
#[experiment(
    skip("a linear model can learn only the linear scenario", |scenario, model| {
        model == Architecture::Linear && scenario != Scenario::Linear
    }),
)]
struct XaiTrisKeras {
    #[axis]
    scenario: Scenario,
    #[axis([Background::White, Background::Correlated])]
    background: Background,
    #[axis]
    model: Architecture,
    #[seed(|scale| scale.pick(1, 5, 5))]
    seed: u64,
}

impl Run for XaiTrisKeras {
    type Benchmark = Tetromino;
    type Model = Network;

    /// Images of 8 x 8, as in `xai_tris`. They are turned, which makes our padding Keras's.
    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        let mut variant = base.with(self.scenario, self.background, Protocol::Published);
        variant.size = Size::Eight;
        variant.count = variant.count.min(Size::Eight.published_count());
        variant.turned = true;
        variant.defects = variant.defects.with(Defect::X8).without(Defect::X1);
        Ok(variant)
    }

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_network(&keras_network(self.model, lab.device()), self.seed)
    }

    /// iNNvestigate fits patterns as if a ReLU followed every layer.
    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all_tested_here()?;
        lab.explain_as_keras(&fitted.model, &images, PatternEstimator::ReluEverywhere)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let rows = results.winners().map(|(cell, tested)| {
            let XaiTrisKeras {
                scenario,
                background,
                model,
                ..
            } = cell.parameters;
            (names(scenario, background, model), &tested.scores)
        });
        compare(&medians(rows), analysis);
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<XaiTrisKeras>()
}
