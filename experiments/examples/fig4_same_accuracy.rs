//! The second Figure 4 of the paper: how well explanations find the lesions if networks are equally
//! accurate. More accurate networks have better explanations. Here, learning rates are therefore
//! selected so that accuracies match. The remaining differences are due to pre-training and depth.

use experiments::{explain, figure4, fine_tune, learns, matching_rates, references};
use xai_core::lesions::prelude::*;

/// Explanation performance by pre-training corpus and degree of fine-tuning, at learning rates whose validation
/// accuracy is closest to 0.89 (Oliveira et al. 2024, Figure 4, "same accuracy").
#[experiment(
    select(closest = 0.89, by = |v| v.accuracy),
    skip("not all narrow networks reach 0.89 if fewer than four blocks are trained", |scale, depth| !learns(scale, depth)),
    snapshot = smoke
)]
struct Fig4SameAccuracy {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| matching_rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

impl Run for Fig4SameAccuracy {
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
        Some(figure4::published("same"))
    }
}

fn main() -> ExitCode {
    xai_core::run::<Fig4SameAccuracy>()
}
