//! Do better networks have better explanations? What effect of pre-training and depth remains at
//! equal accuracy?
//!
//! The paper's first finding is a correlation of accuracy and explanation performance. Its second
//! finding is that MRI pre-training explains better at equal accuracy. This study has many
//! networks: every corpus, depth and learning rate. All are explained on the same images, whether
//! they classify them correctly or not. Keeping only the images that all networks classify
//! correctly would select by the quantity that is correlated. Each network is one observation; its
//! images are not independent ones.

use experiments::means::{methods, precision};
use experiments::paired::{COLUMNS, paired};
use experiments::{best_rates, explain, fine_tune, learns, matching_rates};
use xai_core::lesions::prelude::*;
use xai_core::report::method_title;
use xai_core::statistics::{
    self, Effect, Effects, Observation, bootstrap_clusters, coefficient, effects, mean, pearson,
    spearman,
};

/// Accuracy and precision over networks and methods; corpus and depth at equal accuracy; methods compared with each other.
#[experiment(snapshot = smoke)]
struct Correlation {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[axis(|scale, corpus, depth| rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

impl Run for Correlation {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        fine_tune(lab, self.corpus, self.depth, self.rate, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain(&fitted.model, lab.test().all()?)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let networks = Networks::of(results);
        analysis.curves(networks.points());
        analysis.table(networks.correlations());
        analysis.table(networks.effects_of_all());
        analysis.forest(networks.effects_of_corpus());
        analysis.table(networks.pairs());
        Ok(())
    }
}

/// All rates of both versions of Figure 4.
fn rates(scale: Scale, corpus: Corpus, depth: Depth) -> Vec<f64> {
    let mut rates = best_rates(scale, corpus, depth);
    if learns(scale, depth) {
        rates.extend(matching_rates(scale, corpus, depth));
    }
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates
}

/// The networks of a run, one entry per network.
struct Networks {
    methods: Vec<String>,
    /// The corpora and depths of the run. A restricted run does not have all of them.
    corpora: Vec<Corpus>,
    depths: Vec<Depth>,
    all: Vec<OneNetwork>,
}

struct OneNetwork {
    corpus: usize,
    depth: usize,
    accuracy: f64,
    /// The mean over images, for each method.
    precision: Vec<f64>,
}

impl Networks {
    fn of(results: &Results<Correlation>) -> Self {
        let mut networks = Self {
            methods: Vec::new(),
            corpora: Vec::new(),
            depths: Vec::new(),
            all: Vec::new(),
        };
        for (cell, tested) in results.winners() {
            if networks.methods.is_empty() {
                networks.methods = methods(&tested.scores);
            }
            let means = networks
                .methods
                .iter()
                .map(|method| precision(&tested.scores, method));
            let means: Option<Vec<f64>> = means.collect();
            let (corpus, depth) = (cell.parameters.corpus, cell.parameters.depth);
            networks.all.extend(means.map(|precision| OneNetwork {
                corpus: place(&mut networks.corpora, corpus),
                depth: place(&mut networks.depths, depth),
                accuracy: tested.accuracy,
                precision,
            }));
        }
        networks
    }

    /// Accuracy and precision of each network.
    fn of_method(&self, method: usize) -> Vec<(f64, f64)> {
        self.all
            .iter()
            .map(|one| (one.accuracy, one.precision[method]))
            .collect()
    }

    fn points(&self) -> Curves {
        let mut chart = Curves::new(
            "accuracy_and_precision",
            "Accuracy against precision",
            "Accuracy on the test images",
            "Mean precision",
        )
        .caption("One mark per network: every corpus, depth and learning rate, explained on the same images.");
        for (method, name) in self.methods.iter().enumerate() {
            let of_corpus = |(corpus, level): (usize, &Corpus)| Curve {
                series: level.title().to_owned(),
                points: self
                    .all
                    .iter()
                    .filter(|one| one.corpus == corpus)
                    .map(|one| [one.accuracy, one.precision[method]])
                    .collect(),
                joined: false,
            };
            chart.panel(
                method_title(name),
                self.corpora.iter().enumerate().map(of_corpus).collect(),
            );
        }
        chart
    }

    fn correlations(&self) -> Table {
        let mut table = Table::new(
            "correlations",
            "Correlation of accuracy and precision",
            [
                "method", "networks", "pearson", "pearson_low", "pearson_high", "pearson_p", "spearman",
                "spearman_low", "spearman_high", "spearman_p",
            ],
        )
        .caption(
            "Over networks, with 95 % intervals by Fisher's z. `mean of methods` takes each network's mean over methods. \
             `all methods` takes every network and method together, each method minus its mean; its interval is by a \
             bootstrap of networks, as the methods of one network are not independent, and it has no p value.",
        );
        let mut add = |name: &str, pairs: &[(f64, f64)]| {
            let columns = |one: Option<statistics::Correlation>| {
                let [low, high] = TableValue::ends(one.and_then(|one| one.interval));
                let coefficient = one.map(|one| one.coefficient).into();
                [coefficient, low, high, one.map(|one| one.p_value).into()]
            };
            let mut row = vec![name.into(), pairs.len().into()];
            row.extend(columns(pearson(pairs, 0.95)));
            row.extend(columns(spearman(pairs, 0.95)));
            table.row(row);
        };
        for (method, name) in self.methods.iter().enumerate() {
            add(name, &self.of_method(method));
        }
        let means = self
            .all
            .iter()
            .map(|one| Some((one.accuracy, mean(&one.precision)?)));
        add("mean of methods", &means.flatten().collect::<Vec<_>>());

        let within = |drawn: &[usize]| -> Vec<(f64, f64)> {
            let methods = 0..self.methods.len();
            let pairs = methods.flat_map(|method| {
                let values = drawn.iter().map(|&one| self.all[one].precision[method]);
                let middle = mean(&values.collect::<Vec<_>>()).unwrap_or(0.0);
                let pair = move |&one: &usize| {
                    let network = &self.all[one];
                    (network.accuracy, network.precision[method] - middle)
                };
                drawn.iter().map(pair)
            });
            pairs.collect()
        };
        let all: Vec<usize> = (0..self.all.len()).collect();
        let interval = bootstrap_clusters(all.len(), 0.95, 0, |drawn| {
            Some(vec![coefficient(&within(drawn))?])
        });
        let mut row = vec![
            "all methods".into(),
            all.len().into(),
            coefficient(&within(&all)).into(),
        ];
        row.extend(TableValue::ends(interval.map(|intervals| intervals[0])));
        row.resize(10, TableValue::Missing);
        table.row(row);
        table
    }

    /// The effects on the precision of some methods, adjusted for accuracy or not.
    fn effects(&self, methods: std::ops::Range<usize>, adjusted: bool) -> Option<Effects> {
        let mut observations = Vec::new();
        for (cluster, one) in self.all.iter().enumerate() {
            for method in methods.clone() {
                observations.push(Observation {
                    value: one.precision[method],
                    covariate: one.accuracy,
                    levels: vec![one.corpus, one.depth, method - methods.start],
                    cluster,
                });
            }
        }
        let levels = [self.corpora.len(), self.depths.len(), methods.len()];
        effects(&observations, &levels, adjusted, 0.95, 0)
    }

    fn effects_of_all(&self) -> Table {
        let mut table = Table::new(
            "effects",
            "Effects of corpus and depth on precision, over all methods",
            ["effect", "unadjusted", "unadjusted_low", "unadjusted_high", "adjusted", "adjusted_low", "adjusted_high"],
        )
        .caption(
            "Linear models of the mean precision with corpus, depth and method as factors, without and with the network's \
             accuracy (ANCOVA: one slope for all). An adjusted effect is the difference at equal accuracy. 95 % intervals \
             by a bootstrap of networks. `accuracy` is what precision gains from an accuracy of 0 to 1.",
        );
        let methods = 0..self.methods.len();
        let [plain, adjusted] =
            [false, true].map(|adjusted| self.effects(methods.clone(), adjusted));
        let mut add = |name: String, of: &dyn Fn(&Effects) -> Option<Effect>| {
            let mut row = vec![name.into()];
            for model in [&plain, &adjusted] {
                let effect = model.as_ref().and_then(of);
                row.push(effect.map(|effect| effect.estimate).into());
                row.extend(TableValue::ends(effect.and_then(|effect| effect.interval)));
            }
            table.row(row);
        };
        add("accuracy".to_owned(), &|model| model.slope);
        for (level, corpus) in self.corpora.iter().enumerate().skip(1) {
            let name = format!("{} against {}", corpus.name(), self.corpora[0].name());
            add(name, &|model| model.factors[0].get(level - 1).copied());
        }
        for (level, depth) in self.depths.iter().enumerate().skip(1) {
            let name = format!("{} against {}", depth.name(), self.depths[0].name());
            add(name, &|model| model.factors[1].get(level - 1).copied());
        }
        table
    }

    fn effects_of_corpus(&self) -> Forest {
        let against = match &self.corpora[..] {
            [first, second, ..] => format!("{} less {}", second.title(), first.title()),
            _ => String::new(),
        };
        let mut chart = Forest::new(
            "effect_of_corpus",
            "The effect of pre-training on explanations",
            "Difference in precision",
            self.methods.iter().map(|method| method_title(method)),
        )
        .caption(
            "The effect of the corpus, with depth in the model, unadjusted and at equal accuracy. 95 % intervals by a bootstrap \
             of networks.",
        );
        let mut estimates = Vec::new();
        for row in 0..self.methods.len() {
            for (adjusted, series) in [(false, "unadjusted"), (true, "at equal accuracy")] {
                let model = self.effects(row..row + 1, adjusted);
                let effect = model.and_then(|model| model.factors[0].first().copied());
                estimates.extend(effect.map(|effect| Estimate {
                    row,
                    series: series.to_owned(),
                    value: effect.estimate,
                    interval: effect.interval,
                }));
            }
        }
        chart.panel(against, estimates);
        chart
    }

    fn pairs(&self) -> Table {
        let columns = ["method", "against"].into_iter().chain(COLUMNS);
        let mut table = Table::new("pairs", "Methods against each other", columns).caption(
            "The same images and networks for both methods. One difference of mean precision per network; 95 % interval by a \
             bootstrap of networks, p of Wilcoxon's signed-rank test, corrected by Holm over all pairs. Networks share \
             pre-trainings and images: the result describes other fine-tunings of the same pre-trained networks.",
        );
        let count = self.methods.len();
        let pairs =
            (0..count).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        let differences = |&(first, second): &(usize, usize)| {
            let difference = |one: &OneNetwork| one.precision[first] - one.precision[second];
            self.all.iter().map(difference).collect()
        };
        let compared = paired(&pairs.iter().map(differences).collect::<Vec<_>>());
        for ((first, second), compared) in pairs.into_iter().zip(compared) {
            let names = [first, second].map(|method| self.methods[method].clone().into());
            table.row(names.into_iter().chain(compared.entries()));
        }
        table
    }
}

/// The index of a level among those seen so far.
fn place<T: PartialEq>(seen: &mut Vec<T>, level: T) -> usize {
    seen.iter()
        .position(|known| *known == level)
        .unwrap_or_else(|| {
            seen.push(level);
            seen.len() - 1
        })
}

fn main() -> ExitCode {
    xai_core::run::<Correlation>()
}
