//! Figure 4 of the paper: how well explanations find the lesions, by pre-training corpus and degree
//! of fine-tuning, at the best accuracy of each.

use experiments::{best_rates, explain, figure4, fine_tune, references};
use xai_core::lesions::prelude::*;

/// Explanation performance by pre-training corpus and degree of fine-tuning, at the best accuracy
/// that each of them reaches (Oliveira et al. 2024, Figure 4).
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct Fig4Best {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| best_rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

impl Run for Fig4Best {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        fine_tune(lab, self.corpus, self.depth, self.rate, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain(&fitted.model, lab.test().classified_correctly_by_all()?)
    }

    fn references(lab: &Lab) -> Result<Vec<Reference>> {
        references(lab)
    }

    fn published() -> Option<Published> {
        Some(figure4::published("best"))
    }
}

fn main() -> ExitCode {
    xai_core::run::<Fig4Best>()
}
