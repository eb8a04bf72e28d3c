//! How each of the ten defects of the paper's public code changes its conclusions.
//!
//! The study repeats everything with each defect alone, and with all of them: the same seeds, the
//! same pre-trained networks, everything else corrected. It compares a network trained under the
//! defect with its twin without it: same corpus, same seed. Images are not paired, because defects
//! of the data (D1, D2, D6, D7) change the images.
//!
//! - D1, D2, D6 change the images in training, validation and test.
//! - D3 leaves dropout on in validation, test and explanation. The networks of this study have
//!   dropout at all scales, unlike those of other studies below the paper's scale. Without dropout,
//!   this defect has no effect.
//! - D7 tests on images of the subjects whose images selected the checkpoint, and on some others. Look at
//!   its accuracy, not at its precision.
//! - D8 trains fewer layers. It does not affect fully fine-tuned networks, so those of this study
//!   are not fully fine-tuned.
//! - D4, D5 and D9 concern the edge filters and raw intensity alone. Networks and their
//!   explanations are the same.
//! - D10 scores the same maps of the same networks differently.
//!
//! A network is explained on the images that it classifies correctly itself. Test images differ
//! between defects, so there are no images on which all networks could agree.

use experiments::defects::{Repeated, score_filters, score_methods};
use experiments::network_pairs::{NetworkPairs, TrainedNetwork};
use experiments::{best_rates, optimizer};
use xai_core::lesions::making::Defects;
use xai_core::lesions::prelude::*;

/// How each defect of the public code changes accuracy, precision and the order of methods and
/// corpora.
#[experiment(snapshot = smoke)]
struct Audit {
    #[axis]
    corpus: Corpus,
    #[axis]
    defect: Repeated,
    #[seed(|scale| scale.pick(1, 3, 5))]
    seed: u64,
}

/// Not fully fine-tuned, so that D8 has an effect, and deep enough for the networks of all scales
/// to learn.
const DEPTH: Depth = Depth::Conv4;
/// The paper's rate, at all scales.
const DROPOUT: f64 = 0.5;

impl Run for Audit {
    type Benchmark = Lesions;
    type Model = Network;

    fn benchmark(&self, base: &Lesions) -> Result<Lesions> {
        let variant = base.with_defects(self.defect.defects());
        Ok(variant.with_dropout(DROPOUT))
    }

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let start = lab.with_defects(Defects::NONE).pretrained(self.corpus)?;
        let published = match self.corpus {
            Corpus::Mri => 0.03,
            _ => 0.008,
        };
        let rate = match lab.scale() {
            Scale::Night => best_rates(lab.scale(), self.corpus, DEPTH)[0],
            scale => scale.pick(0.002, 0.001, published),
        };
        lab.fine_tune(start, DEPTH, optimizer(lab, rate), self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by(&fitted.model)?;
        let mut scores = score_filters(&images, lab.defects())?;
        if !self.defect.of_filters() {
            scores.extend(score_methods(&fitted.model, images, lab.defects())?);
        }
        Ok(scores)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let pairs = NetworkPairs::of(
            results
                .winners()
                .map(|(cell, tested)| TrainedNetwork {
                    corpus: cell.parameters.corpus,
                    defect: cell.parameters.defect,
                    seed: cell.parameters.seed,
                    tested,
                })
                .collect(),
        );
        let [table, forest] = pairs.precision();
        analysis.parts.extend([table, forest]);
        analysis.table(pairs.conclusions());
        Ok(())
    }
}

fn main() -> ExitCode {
    xai_core::run::<Audit>()
}
