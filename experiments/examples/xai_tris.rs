//! XAI-TRIS as published: at 8 x 8 beside the published scores, or at 64 x 64 (`--scale paper`).

use experiments::xai_tris::{
    BY_KERAS, accuracies, as_plotted, compare, compare_accuracies, medians, names, published,
};
use xai_core::tetromino::prelude::*;
use xai_core::tetromino::{Defect, Size, TetrominoArgs};

/// Do attribution methods mark only pixels that are statistically related to the class? (Clark, Wilming and Haufe 2024,
/// with the defects of their public code.)
#[experiment(
    skip("a linear model can learn only the linear scenario", |scenario, model| {
        model == Architecture::Linear && scenario != Scenario::Linear
    }),
    snapshot = smoke,
)]
struct XaiTris {
    #[axis]
    scenario: Scenario,
    #[axis([Background::White, Background::Correlated])]
    background: Background,
    #[axis]
    model: Architecture,
    #[seed(|scale| scale.pick(1, 5, 5))]
    seed: u64,
}

impl Run for XaiTris {
    type Benchmark = Tetromino;
    type Model = Network;

    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        Ok(as_plotted(base, self.scenario, self.background))
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

    fn published() -> Option<Published> {
        Some(published())
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let counted = results.winners().filter(|(cell, _)| {
            let XaiTris {
                scenario,
                model,
                seed,
                ..
            } = cell.parameters;
            let first = match scenario {
                Scenario::Linear => Architecture::Linear,
                _ => Architecture::Mlp,
            };
            let dropped =
                Protocol::Published.defects().has(Defect::X10) && model == first && seed == 0;
            !dropped || results.scale == Scale::Smoke
        });
        let rows = counted.map(|(cell, tested)| {
            let XaiTris {
                scenario,
                background,
                model,
                ..
            } = cell.parameters;
            (names(scenario, background, model), &tested.scores)
        });
        let base = Tetromino::open(&TetrominoArgs::default(), results.scale)?;
        // The published scores at 64 x 64 are not available.
        if base.size == Size::Eight {
            let mut measured = medians(rows);
            // `xai_tris_keras` has the networks that these methods explain in the paper.
            measured.retain(|(_, method), _| !BY_KERAS.contains(&method.as_str()));
            compare(&measured, analysis);
        }
        let runs = results.winners().map(|(cell, tested)| {
            let setting = cell.parameters.benchmark(&base);
            setting.map(|setting| (setting, cell.parameters.model, tested.accuracy))
        });
        compare_accuracies(&accuracies(runs.collect::<Result<Vec<_>>>()?), analysis)
    }
}

fn main() -> ExitCode {
    xai_core::run::<XaiTris>()
}
