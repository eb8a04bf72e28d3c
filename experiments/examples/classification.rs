//! How well each network classifies, beside the published accuracies.

use experiments::{best_rates, fine_tune};
use xai_core::lesions::prelude::*;
use xai_core::statistics::{Confusion, Share, areas};

/// Accuracy, sensitivity, specificity and areas under curves of the networks of Figure 4 on the test images
/// (Oliveira et al. 2024, table of classification).
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct Classification {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| best_rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

impl Run for Classification {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        fine_tune(lab, self.corpus, self.depth, self.rate, self.seed)
    }

    /// Nothing is explained. The predictions for the test images are stored anyway.
    fn test(&self, _: &Fitted<Network>, _: &Lab) -> Result<Scores> {
        Ok(Vec::new())
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let mut table = Table::new(
            "classification",
            "Classification of the test images",
            [
                "corpus",
                "depth",
                "seed",
                "rate",
                "accuracy",
                "accuracy_low",
                "accuracy_high",
                "sensitivity",
                "sensitivity_low",
                "sensitivity_high",
                "specificity",
                "specificity_low",
                "specificity_high",
                "auroc",
                "auprc",
                "published_accuracy",
            ],
        )
        .caption(
            "One row per network. Irregular lesions are the positive class. Wilson's 95 % intervals treat all images \
             as independent, although each subject has several. Published: the mean accuracy of three seeds of the paper's \
             networks on its own images, with ImageNet as the corpus that is not MRI.",
        );
        let mut chart = Forest::new(
            "sensitivity_specificity",
            "How well networks separate the classes",
            "Share of images classified correctly",
            Depth::LEVELS.iter().map(Level::name),
        )
        .caption("One mark per network, with Wilson's 95 % interval. The line is chance.");
        chart.reference = 0.5;
        let mut panels =
            ["Accuracy", "Sensitivity", "Specificity"].map(|title| (title, Vec::new()));
        for (cell, tested) in results.winners() {
            let (run, said) = (&cell.parameters, &tested.predictions);
            let counts = Confusion::of(&said.class, &said.predicted, 2)?;
            let shares = [
                counts.accuracy(),
                counts.sensitivity_of(1),
                counts.specificity_of(1),
            ];
            let mut row: Vec<TableValue> = vec![
                run.corpus.name().into(),
                run.depth.name().into(),
                run.seed.to_string().into(),
                format!("{}", run.rate).into(),
            ];
            for (share, (_, estimates)) in shares.into_iter().zip(&mut panels) {
                let interval = share.map(|share| share.interval(0.95));
                row.push(share.map(|share| share.value()).into());
                row.extend(TableValue::ends(interval));
                estimates.extend(share.map(|share: Share| Estimate {
                    row: run.depth as usize,
                    series: run.corpus.title().to_owned(),
                    value: share.value(),
                    interval,
                }));
            }
            let areas = areas(&said.class, said.probabilities.view())?;
            row.extend([
                areas.map(|areas| areas[0]).into(),
                areas.map(|areas| areas[1]).into(),
            ]);
            row.push(published(run.corpus, run.depth).into());
            table.row(row);
        }
        analysis.table(table);
        for (title, estimates) in panels {
            chart.panel(title, estimates);
        }
        analysis.forest(chart);
        Ok(())
    }
}

/// The accuracy of the paper's networks at the best learning rates.
fn published(corpus: Corpus, depth: Depth) -> f64 {
    let accuracies = match corpus {
        Corpus::Mri => [0.821, 0.931, 0.960, 0.967, 0.942],
        _ => [0.744, 0.957, 0.989, 0.992, 0.990], // ImageNet's
    };
    accuracies[depth as usize]
}

fn main() -> ExitCode {
    xai_core::run::<Classification>()
}
