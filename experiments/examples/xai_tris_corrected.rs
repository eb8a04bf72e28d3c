//! Which conclusions of XAI-TRIS remain if its defects are corrected?
//!
//! Every model is trained and explained twice from the same initial weights: with the defects of the public code, and
//! without them. Without them:
//!
//! - models end in logits (X1), and the difference of the logits is explained (X2, X3);
//! - the distance is divided by the longest distance in the image (X6);
//! - images are in single precision (X7);
//! - maps of zeros count (X11), in both scores;
//! - the Sobel filter uses both directions (X14);
//! - LIME and KernelSHAP have 256 samples (X17);
//! - each data set has its own noise (X18);
//! - DeepLIFT has all its rules (X22).
//!
//! Feature permutation takes 16 values from training images instead of one from another image of its batch. All runs
//! count on both sides (X10 is not compared).

use experiments::xai_tris::{Protocols, conclusions, names};
use xai_core::tetromino::prelude::*;

/// Explanation performance with and without the defects of the public code, model by model (XAI-TRIS, 8 x 8).
#[experiment(
    skip("a linear model can learn only the linear scenario", |scenario, model| {
        model == Architecture::Linear && scenario != Scenario::Linear
    }),
)]
struct XaiTrisCorrected {
    #[axis]
    scenario: Scenario,
    #[axis([Background::White, Background::Correlated])]
    background: Background,
    #[axis]
    model: Architecture,
    #[axis]
    protocol: Protocol,
    #[seed(|scale| scale.pick(1, 5, 5))]
    seed: u64,
}

impl Run for XaiTrisCorrected {
    type Benchmark = Tetromino;
    type Model = Network;

    /// At most 200 images are explained. With more, means over seeds hardly change.
    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        let mut variant = base.with(self.scenario, self.background, self.protocol);
        variant.most_explained = variant.most_explained.min(200);
        Ok(variant)
    }

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_model(self.model, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all_tested_here()?;
        let mut scores = lab.explain_by_all(&fitted.model, &images)?;
        scores.extend(lab.explain_by_none(&images)?);
        Ok(scores)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let runs = results.winners().map(|(cell, tested)| {
            let XaiTrisCorrected {
                scenario,
                background,
                model,
                protocol,
                seed,
            } = cell.parameters;
            let names = names(scenario, background, model);
            (names, protocol == Protocol::Corrected, seed, tested)
        });
        conclusions(&Protocols::of(runs), analysis);
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<XaiTrisCorrected>()
}
