//! Explanations along training: does precision rise with accuracy while a network learns, and how
//! steadily?
//!
//! The paper finds that explanations after MRI pre-training vary less over accuracies. Here, each
//! epoch of a training is a cell. (The training is computed once, as a stage that its epochs
//! share.) All networks are explained on the same images, whether they classify them correctly or
//! not. If only the images that all of them classify correctly were used, the networks of the first
//! epochs would leave none.

use experiments::means::{methods, precision};
use experiments::paired::mean_interval;
use experiments::{best_rates, explain, optimizer};
use xai_core::lesions::prelude::*;
use xai_core::report::method_title;
use xai_core::statistics::mean;

/// Precision of explanations along training, by pre-training corpus.
#[experiment(snapshot = smoke)]
struct Stability {
    #[axis]
    corpus: Corpus,
    #[axis([Depth::Conv4, Depth::All])]
    depth: Depth,
    #[axis(|scale| scale.pick(vec![1, 3, 6], vec![1, 2, 3], vec![1, 2, 3, 5, 7, 10, 15]))]
    epoch: usize,
    #[seed(|scale| scale.pick(1, 3, 3))]
    seed: u64,
}

impl Run for Stability {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let start = lab.pretrained(self.corpus)?;
        let rate = self.rate(lab.scale());
        let mut epochs =
            lab.fine_tune_epochs(start, self.depth, optimizer(lab, rate), self.seed)?;
        let history = epochs.iter().map(|after| after.epoch).collect();
        // After an early stop, the network does not change any more.
        epochs.truncate(self.epoch);
        let last = epochs
            .pop()
            .ok_or_else(|| Error::invalid("a training needs at least one epoch"))?;
        Ok(Fitted {
            model: last.model,
            validation: last.epoch.validation,
            history,
        })
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain(&fitted.model, lab.test().all()?)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let trainings = trainings(results);
        let methods = results
            .winners()
            .next()
            .map_or(Vec::new(), |(_, tested)| methods(&tested.scores));
        analysis.curves(curves(&trainings, &methods));
        analysis.table(steadiness(&trainings, &methods));
        Ok(())
    }
}

impl Stability {
    /// A learning rate at which accuracy rises over several epochs. At the paper's scale, the
    /// published one.
    fn rate(&self, scale: Scale) -> f64 {
        let published = match self.corpus {
            Corpus::Mri => 0.01,
            _ => 0.004,
        };
        match scale {
            Scale::Night => best_rates(scale, self.corpus, self.depth)[0],
            scale => scale.pick(0.001, 0.000_5, published),
        }
    }
}

/// One training: accuracy and scores after each epoch, in order.
struct Training<'a> {
    corpus: Corpus,
    epochs: Vec<&'a Tested>,
}

impl Training<'_> {
    /// Whether its last network is the one of `tested`, so that all their scores are equal.
    fn ends_with(&self, tested: &Tested) -> bool {
        self.epochs
            .last()
            .is_some_and(|last| last.scores == tested.scores)
    }

    /// Accuracy and mean precision after each epoch.
    fn points(&self, method: &str) -> Vec<[f64; 2]> {
        let point = |tested: &&Tested| Some([tested.accuracy, precision(&tested.scores, method)?]);
        self.epochs.iter().filter_map(point).collect()
    }

    /// The slope of precision over accuracy, and the root mean square distance of the points from
    /// that line.
    fn line(&self, method: &str) -> Option<[f64; 2]> {
        let points = self.points(method);
        let middle = |of: usize| mean(&points.iter().map(|point| point[of]).collect::<Vec<_>>());
        let (x, y) = (middle(0)?, middle(1)?);
        let sum =
            |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|[a, b]| f(a - x, b - y)).sum::<f64>();
        let slope = sum(&|a, b| a * b) / sum(&|a, _| a * a);
        let strays = sum(&|a, b| (b - slope * a).powi(2)) / points.len() as f64;
        (points.len() > 2 && slope.is_finite()).then_some([slope, strays.sqrt()])
    }
}

fn trainings(results: &Results<Stability>) -> Vec<Training<'_>> {
    let mut trainings: Vec<((Depth, u64), Training)> = Vec::new();
    for (cell, tested) in results.winners() {
        let Stability {
            corpus,
            depth,
            seed,
            ..
        } = cell.parameters;
        let same = |(of, training): &&mut ((Depth, u64), Training)| {
            *of == (depth, seed) && training.corpus == corpus
        };
        match trainings.iter_mut().find(same) {
            // After an early stop, the same network follows again.
            Some((_, training)) if training.ends_with(tested) => {}
            Some((_, training)) => training.epochs.push(tested),
            None => {
                let epochs = vec![tested];
                trainings.push(((depth, seed), Training { corpus, epochs }));
            }
        }
    }
    trainings
        .into_iter()
        .map(|(_, training)| training)
        .collect()
}

fn curves(trainings: &[Training], methods: &[String]) -> Curves {
    let mut chart = Curves::new(
        "along_training",
        "Precision along training",
        "Accuracy on the test images",
        "Mean precision",
    )
    .caption("One line per training, one mark per epoch, all on the same images.");
    for method in methods {
        let curve = |training: &Training| Curve {
            series: training.corpus.title().to_owned(),
            points: training.points(method),
            joined: true,
        };
        chart.panel(method_title(method), trainings.iter().map(curve).collect());
    }
    chart
}

fn steadiness(trainings: &[Training], methods: &[String]) -> Table {
    let mut table = Table::new(
        "steadiness",
        "Slope and steadiness of precision along training",
        ["method", "corpus", "trainings", "slope", "slope_low", "slope_high", "strays", "strays_low", "strays_high"],
    )
    .caption(
        "For each training, the line of precision over accuracy: its slope (the gain in precision from an accuracy of 0 to \
         1), and the root mean square distance of epochs from it. Means over trainings, with 95 % intervals by a bootstrap of \
         trainings if there are at least five.",
    );
    let mut corpora: Vec<Corpus> = Vec::new();
    for training in trainings {
        if !corpora.contains(&training.corpus) {
            corpora.push(training.corpus);
        }
    }
    for method in methods {
        for corpus in &corpora {
            let of_corpus = trainings
                .iter()
                .filter(|training| training.corpus == *corpus);
            let lines: Vec<[f64; 2]> = of_corpus
                .filter_map(|training| training.line(method))
                .collect();
            let mut row = vec![
                method.clone().into(),
                corpus.name().into(),
                lines.len().into(),
            ];
            for which in 0..2 {
                let values: Vec<f64> = lines.iter().map(|line| line[which]).collect();
                row.push(mean(&values).into());
                row.extend(TableValue::ends(mean_interval(&values)));
            }
            table.row(row);
        }
    }
    table
}

fn main() -> ExitCode {
    xai_core::run::<Stability>()
}
