//! Which metric may one trust if there is no ground truth?
//!
//! Lesions have a ground truth, so it can be tried: does a metric that does without it order methods,
//! networks and images as the ground truth does? Two metrics that use the ground truth in
//! another way, AUROC and mass accuracy, show which agreement can be expected at best.

use experiments::which_metric::{Judged, agreement};
use experiments::{best_rates, fine_tune, the_eight};
use xai_core::lesions::prelude::*;
use xai_core::metrics::{Auroc, RelevanceMassAccuracy};

// ANCHOR: experiment
/// Metrics with and without ground truth, for the same explanations of lesions.
#[experiment(snapshot = smoke)]
struct WhichMetric {
    #[axis]
    corpus: Corpus,
    #[axis(|scale| scale.pick(vec![Depth::All], vec![Depth::Conv4, Depth::All], vec![Depth::Conv4, Depth::All]))]
    depth: Depth,
    #[seed(|scale| scale.pick(1, 2, 3))]
    seed: u64,
}

impl Run for WhichMetric {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let rates = best_rates(lab.scale(), self.corpus, self.depth);
        fine_tune(lab, self.corpus, self.depth, rates[0], self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        // Each image is explained again for every draw, and predicted about 600 times.
        let images = images.spaced(lab.scale().pick(6, 24, usize::MAX));
        let draws = lab.scale().pick(1, 2, 10);
        let metrics = (
            (Precision, Auroc, RelevanceMassAccuracy),
            (
                Deletion::default(),
                Insertion::default(),
                PixelFlipping::default(),
            ),
            (Road::default(), Infidelity::default(), Sparseness),
            (
                MaxSensitivity {
                    draws,
                    ..MaxSensitivity::default()
                },
                RandomLogit::default(),
                Mprt::default(),
            ),
        );
        the_eight(0).score(&fitted.model, &images, &metrics)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let judged = results.winners().map(|(_, tested)| Judged {
            data: "lesions".to_owned(),
            scores: &tested.scores,
        });
        agreement(&judged.collect::<Vec<_>>(), analysis);
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<WhichMetric>()
}
// ANCHOR_END: experiment
