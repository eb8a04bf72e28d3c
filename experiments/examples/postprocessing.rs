//! Does the ranking of methods depend on what happens to a heat map before it is scored?
//!
//! Studies blur maps, keep their highest values, leave out what lies outside the brain, allow a
//! distance to the lesion, or use only the positive part. Few of them say which, and why. Here, every map is
//! explained once and scored under each policy.

use experiments::policies::rankings;
use experiments::{best_rates, fine_tune, the_eight};
use xai_core::lesions::prelude::*;
use xai_core::metrics::RelevanceMassAccuracy;

// ANCHOR: experiment
/// Precision and mass accuracy of the eight methods under several ways of post-processing.
#[experiment(snapshot = smoke)]
struct Postprocessing {
    #[axis]
    corpus: Corpus,
    #[axis(|scale| scale.pick(vec![Depth::All], vec![Depth::Conv4, Depth::All], vec![Depth::Conv4, Depth::All]))]
    depth: Depth,
    #[seed(|scale| scale.pick(1, 2, 3))]
    seed: u64,
}

// ANCHOR: policies
/// The policies, each with a name. Without any, maps are absolute values, as in the paper.
fn policies() -> Vec<(&'static str, PostProcessing)> {
    let plain = PostProcessing::default();
    vec![
        ("positive", plain.combine(Sign::Positive)),
        ("signed", plain.combine(Sign::Signed)),
        ("blur_2", plain.blur(2.0)),
        ("blur_4", plain.blur(4.0)),
        ("blur_8", plain.blur(8.0)),
        ("top_10", plain.cut_below(90.0)),
        ("top_1", plain.cut_below(99.0)),
        ("brain", plain.inside_image(0.0)),
        ("tolerance_1", plain.tolerance(1)),
        ("tolerance_3", plain.tolerance(3)),
    ]
}
// ANCHOR_END: policies

impl Run for Postprocessing {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let rates = best_rates(lab.scale(), self.corpus, self.depth);
        fine_tune(lab, self.corpus, self.depth, rates[0], self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        the_eight(0).also(policies()).score(
            &fitted.model,
            &images,
            &(Precision, RelevanceMassAccuracy),
        )
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let names: Vec<&str> = policies().iter().map(|(name, _)| *name).collect();
        let networks: Vec<&Tested> = results.winners().map(|(_, tested)| tested).collect();
        rankings(&networks, &names, analysis);
        Ok(())
    }
}
// ANCHOR_END: experiment

fn main() -> ExitCode {
    xai_core::run::<Postprocessing>()
}
