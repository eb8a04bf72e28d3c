//! Figure 3 of the paper: the heat map of each method for one image, by pre-training corpus and
//! degree of fine-tuning. The networks are those of `fig4_best`.

use experiments::{best_rates, explain, fine_tune};
use xai_core::lesions::prelude::*;

/// Heat maps of one image by method, pre-training corpus and degree of fine-tuning, at the best accuracy that each
/// of them reaches (Oliveira et al. 2024, Figure 3).
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct Fig3Heatmaps {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| best_rates(scale, corpus, depth))]
    rate: f64,
    #[seed(1)]
    seed: u64,
}

impl Run for Fig3Heatmaps {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        fine_tune(lab, self.corpus, self.depth, self.rate, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain(&fitted.model, lab.test().classified_correctly_by_all()?)
    }

    // ANCHOR: analysis
    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let mut figure = HeatMaps::new("heat_maps", "Heat maps of one image").caption(
            "One row per method, one column per degree of fine-tuning. The lesions are outlined. Each map is scaled to its own \
             largest value, over the darkened image.",
        );
        for corpus in Corpus::LEVELS {
            let mut columns = Vec::new();
            for (cell, tested) in results.winners() {
                if cell.parameters.corpus == *corpus {
                    // All networks explain the same images. Choose the one with the largest ground
                    // truth, with irregular lesions if there is one.
                    let shown = tested.shown()?.into_iter();
                    let most = |image: &Shown| {
                        (image.class, image.truth.iter().filter(|&&set| set).count())
                    };
                    columns.extend(shown.max_by_key(most).map(|image| HeatMapColumn {
                        title: cell.parameters.depth.title().to_owned(),
                        image,
                    }));
                }
            }
            if !columns.is_empty() {
                figure.block(format!("Pre-trained on: {}", corpus.title()), columns);
            }
        }
        analysis.heat_maps(figure);
        Ok(())
    }
    // ANCHOR_END: analysis
}

fn main() -> ExitCode {
    xai_core::run::<Fig3Heatmaps>()
}
