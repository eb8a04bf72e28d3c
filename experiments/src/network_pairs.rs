//! The analysis of the audit: networks with a defect beside their pairs without it.

use xai_core::lesions::prelude::*;
use xai_core::report::method_title;
use xai_core::statistics::{mean, spearman};

use crate::defects::Repeated;
use crate::means::precision;
use crate::paired::{COLUMNS, mean_interval, paired};
use crate::the_eight;

const FILTERS: [&str; 3] = ["sobel", "laplace", "intensity"];

/// One network.
pub struct TrainedNetwork<'a> {
    /// Its pre-training corpus.
    pub corpus: Corpus,
    /// The defect in its training, images and scores.
    pub defect: Repeated,
    /// The seed of its training.
    pub seed: u64,
    /// Its results on its test images.
    pub tested: &'a Tested,
}

/// The networks of a run, grouped by everything except the defect.
pub struct NetworkPairs<'a> {
    corpora: Vec<Corpus>,
    seeds: Vec<u64>,
    all: Vec<TrainedNetwork<'a>>,
    methods: Vec<&'static str>,
}

impl<'a> NetworkPairs<'a> {
    /// Groups the networks.
    pub fn of(all: Vec<TrainedNetwork<'a>>) -> Self {
        let (mut corpora, mut seeds) = (Vec::new(), Vec::new());
        for one in &all {
            if !corpora.contains(&one.corpus) {
                corpora.push(one.corpus);
            }
            if !seeds.contains(&one.seed) {
                seeds.push(one.seed);
            }
        }
        Self {
            corpora,
            seeds,
            all,
            methods: the_eight(0).names(),
        }
    }

    /// The defects of the run, without the corrected benchmark.
    fn defects(&self) -> Vec<Repeated> {
        let there = |defect: &&Repeated| self.all.iter().any(|one| one.defect == **defect);
        let some = Repeated::LEVELS.iter().filter(there).copied();
        some.filter(|defect| *defect != Repeated::None).collect()
    }

    fn tested(&self, defect: Repeated, corpus: Corpus, seed: u64) -> Option<&Tested> {
        let wanted =
            |one: &&TrainedNetwork| (one.defect, one.corpus, one.seed) == (defect, corpus, seed);
        self.all.iter().find(wanted).map(|one| one.tested)
    }

    /// The mean precision of one network. If the defect does not change it, the value without the
    /// defect.
    fn precision_of(
        &self,
        defect: Repeated,
        corpus: Corpus,
        seed: u64,
        method: &str,
    ) -> Option<f64> {
        let same = defect.of_filters() && self.methods.contains(&method);
        let defect = if same { Repeated::None } else { defect };
        precision(&self.tested(defect, corpus, seed)?.scores, method)
    }

    /// A number for each network without and with the defect, if both exist.
    fn pairs(
        &self,
        number: impl Fn(Corpus, u64, Repeated) -> Option<f64>,
        defect: Repeated,
    ) -> Vec<[f64; 2]> {
        let networks = self
            .corpora
            .iter()
            .flat_map(|&corpus| self.seeds.iter().map(move |&seed| (corpus, seed)));
        let pair = |(corpus, seed)| {
            Some([
                number(corpus, seed, Repeated::None)?,
                number(corpus, seed, defect)?,
            ])
        };
        networks.filter_map(pair).collect()
    }

    /// Precision with and without each defect, as a table and a chart.
    pub fn precision(&self) -> [AnalysisItem; 2] {
        let defects = self.defects();
        let columns = ["method", "defect", "without", "with"]
            .into_iter()
            .chain(COLUMNS);
        let mut table = Table::new("precision_by_defect", "Precision with and without each defect", columns).caption(
            "One difference per pair of networks of the same corpus and seed, one trained and scored with the defect; 95 % interval by \
             a bootstrap of these pairs, p of Wilcoxon's signed-rank test, corrected by Holm over the whole table. Empty if \
             the defect removes the reference.",
        );
        let methods = || self.methods.iter().copied().chain(FILTERS);
        let rows: Vec<(&str, Repeated)> = methods()
            .flat_map(|method| defects.iter().map(move |&defect| (method, defect)))
            .collect();
        let pairs: Vec<Vec<[f64; 2]>> = rows
            .iter()
            .map(|&(method, defect)| {
                self.pairs(
                    |corpus, seed, defect| self.precision_of(defect, corpus, seed, method),
                    defect,
                )
            })
            .collect();
        let differences =
            |pairs: &Vec<[f64; 2]>| pairs.iter().map(|[without, with]| with - without).collect();
        let compared = paired(&pairs.iter().map(differences).collect::<Vec<_>>());
        let mut chart = Forest::new(
            "audit",
            "What each defect does to precision",
            "Precision with the defect minus precision without it",
            defects.iter().map(|defect| defect.title()),
        )
        .caption("Means over pairs of networks with and without the defect; 95 % intervals by a bootstrap of pairs.");
        let mut panels: Vec<(&str, Vec<Estimate>)> =
            methods().map(|method| (method, Vec::new())).collect();
        for ((&(method, defect), pairs), compared) in rows.iter().zip(&pairs).zip(compared) {
            let of = |which: usize| mean(&pairs.iter().map(|pair| pair[which]).collect::<Vec<_>>());
            let start = [
                method.into(),
                defect.title().into(),
                of(0).into(),
                of(1).into(),
            ];
            table.row(start.into_iter().chain(compared.entries()));
            let panel = panels.iter_mut().find(|(name, _)| *name == method);
            if let (Some((_, estimates)), Some(value)) = (panel, compared.difference) {
                let row = defects.iter().position(|one| *one == defect).unwrap_or(0);
                estimates.push(Estimate {
                    row,
                    series: String::new(),
                    value,
                    interval: compared.interval,
                });
            }
        }
        for (method, estimates) in panels {
            chart.panel(method_title(method), estimates);
        }
        [AnalysisItem::Table(table), AnalysisItem::Forest(chart)]
    }

    /// How the paper's conclusions change under each defect.
    pub fn conclusions(&self) -> Table {
        let mut table = Table::new(
            "conclusions",
            "How the conclusions change",
            [
                "defect", "networks", "accuracy", "low", "high", "order_of_methods", "best_method", "beat_filters",
                "corpus_effect", "corpus_low", "corpus_high",
            ],
        )
        .caption(
            "Accuracy: mean change on the test images, 95 % interval by a bootstrap of pairs of networks. Order of methods: \
             Spearman's correlation of the eight methods' precisions of a network with those of its pair without the defect, mean over \
             pairs; for `none`, of two networks of a corpus without a defect, which is expected by chance. Beat filters: the number of the eight methods \
             above the best filter that the defect leaves. Corpus effect: mean precision over methods of the second corpus \
             minus the first, 95 % interval by a bootstrap of seeds, if there are five.",
        );
        for defect in [Repeated::None].into_iter().chain(self.defects()) {
            let accuracy = |corpus, seed, defect| Some(self.tested(defect, corpus, seed)?.accuracy);
            // Defects of filters do not change the accuracy.
            let changes = self.pairs(accuracy, defect);
            let changes: Vec<f64> = changes
                .iter()
                .map(|[without, with]| with - without)
                .collect();
            let order = match defect {
                Repeated::None => self.agreement_by_chance(),
                _ => self.agreement_with_pairs(defect),
            };
            let corpus = self.corpus_effect(defect);
            let mut row: Vec<TableValue> = vec![
                defect.title().into(),
                changes.len().into(),
                mean(&changes).into(),
            ];
            row.extend(TableValue::ends(mean_interval(&changes)));
            row.push(order.into());
            row.push(self.best(defect).into());
            row.push(self.beat_filters(defect).into());
            row.push(mean(&corpus).into());
            row.extend(TableValue::ends(mean_interval(&corpus)));
            table.row(row);
        }
        table
    }

    /// The mean precision of a method over networks.
    fn mean_of(&self, defect: Repeated, method: &str) -> Option<f64> {
        let networks = self
            .corpora
            .iter()
            .flat_map(|&corpus| self.seeds.iter().map(move |&seed| (corpus, seed)));
        let values =
            networks.filter_map(|(corpus, seed)| self.precision_of(defect, corpus, seed, method));
        mean(&values.collect::<Vec<_>>())
    }

    fn means(&self, defect: Repeated) -> Vec<Option<f64>> {
        self.methods
            .iter()
            .map(|method| self.mean_of(defect, method))
            .collect()
    }

    fn best(&self, defect: Repeated) -> Option<&'static str> {
        let means = self.methods.iter().zip(self.means(defect));
        let known = means.filter_map(|(method, mean)| Some((*method, mean?)));
        known
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(method, _)| method)
    }

    fn beat_filters(&self, defect: Repeated) -> usize {
        let filters = FILTERS
            .iter()
            .filter_map(|filter| self.mean_of(defect, filter));
        let best = filters.fold(0.0, f64::max);
        self.means(defect)
            .into_iter()
            .flatten()
            .filter(|mean| *mean > best)
            .count()
    }

    /// For each seed: the second corpus minus the first, mean over methods.
    fn corpus_effect(&self, defect: Repeated) -> Vec<f64> {
        let [first, second] = match &self.corpora[..] {
            [first, second, ..] => [*first, *second],
            _ => return Vec::new(),
        };
        let of = |corpus, seed| {
            let values = self
                .methods
                .iter()
                .filter_map(|method| self.precision_of(defect, corpus, seed, method));
            mean(&values.collect::<Vec<_>>())
        };
        self.seeds
            .iter()
            .filter_map(|&seed| Some(of(second, seed)? - of(first, seed)?))
            .collect()
    }

    /// The precision of each method for one network.
    fn precisions(&self, defect: Repeated, corpus: Corpus, seed: u64) -> Vec<Option<f64>> {
        let methods = self.methods.iter();
        methods
            .map(|method| self.precision_of(defect, corpus, seed, method))
            .collect()
    }

    /// The agreement of the order of methods between a network with the defect and its pair without it, mean over
    /// pairs. Means over all networks would agree more, because they have less noise. Then they could not be
    /// compared with [`Self::agreement_by_chance`].
    fn agreement_with_pairs(&self, defect: Repeated) -> Option<f64> {
        let mut all = Vec::new();
        for &corpus in &self.corpora {
            for &seed in &self.seeds {
                let of = |defect| self.precisions(defect, corpus, seed);
                all.extend(agreement(&of(Repeated::None), &of(defect)));
            }
        }
        mean(&all)
    }

    /// The agreement of the order of methods between two networks of a corpus that differ only in
    /// the seed.
    fn agreement_by_chance(&self) -> Option<f64> {
        let order = |corpus, seed| self.precisions(Repeated::None, corpus, seed);
        let mut all = Vec::new();
        for &corpus in &self.corpora {
            for (at, &seed) in self.seeds.iter().enumerate() {
                let others = self.seeds[at + 1..].iter();
                all.extend(
                    others.filter_map(|&other| {
                        agreement(&order(corpus, seed), &order(corpus, other))
                    }),
                );
            }
        }
        mean(&all)
    }
}

/// Spearman's correlation of two lists of precisions.
fn agreement(a: &[Option<f64>], b: &[Option<f64>]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = a.iter().zip(b).filter_map(|(a, b)| (*a).zip(*b)).collect();
    spearman(&pairs, 0.95).map(|correlation| correlation.coefficient)
}
