//! Which metric may one trust if there is no ground truth? The question of `which_metric`, asked of
//! small networks on the tetrominoes of XAI-TRIS.

use experiments::the_eight;
use experiments::which_metric::{Judged, agreement};
use xai_core::metrics::{Auroc, RelevanceMassAccuracy};
use xai_core::tetromino::prelude::*;

/// Metrics with and without ground truth, for the same explanations of tetrominoes in correlated noise.
#[experiment(snapshot = smoke)]
struct WhichMetricTetromino {
    #[axis([Scenario::Linear, Scenario::Multiplicative, Scenario::Xor])]
    scenario: Scenario,
    #[axis([Architecture::Mlp, Architecture::Cnn])]
    model: Architecture,
    #[seed(|scale| scale.pick(1, 5, 5))]
    seed: u64,
}

impl Run for WhichMetricTetromino {
    type Benchmark = Tetromino;
    type Model = Network;

    /// Without the defects of the public code, and with at most 200 explained images.
    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        let mut variant = base.with(self.scenario, Background::Correlated, Protocol::Corrected);
        variant.most_explained = variant.most_explained.min(200);
        Ok(variant)
    }

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        lab.train_model(self.model, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all_tested_here()?;
        let metrics = (
            (Precision, Auroc, RelevanceMassAccuracy),
            (
                Deletion { steps: 16 },
                Insertion { steps: 16 },
                PixelFlipping { steps: 16 },
            ),
            (
                Road::default(),
                Infidelity {
                    side: Some(2),
                    ..Infidelity::default()
                },
                Sparseness,
            ),
            (
                MaxSensitivity::default(),
                RandomLogit::default(),
                Mprt::default(),
            ),
        );
        the_eight(0).score(&fitted.model, &images, &metrics)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let judged = results.winners().map(|(cell, tested)| Judged {
            data: cell.parameters.scenario.name().to_owned(),
            scores: &tested.scores,
        });
        agreement(&judged.collect::<Vec<_>>(), analysis);
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<WhichMetricTetromino>()
}
