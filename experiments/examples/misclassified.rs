//! Images that some or all networks misclassify: do explanations find the lesions there too?
//!
//! The other studies use images that every network classifies correctly. This study uses the
//! others. The true class is still what is explained. It would be no surprise if explanations of
//! wrong networks were worse, because their images may be harder, and the networks worse. The
//! comparison is therefore made within images and within networks: for the images on which networks
//! disagree, the precision minus the image's mean over networks, compared between the images that a
//! network classifies correctly and those it does not.

use experiments::means::{mean_of, methods};
use experiments::paired::{COLUMNS, Scored, paired, right_less_wrong};
use experiments::{best_rates, explain, fine_tune, references};
use xai_core::lesions::prelude::*;
use xai_core::metrics::{chance_name, group_name};
use xai_core::report::method_title;
use xai_core::statistics::mean;

/// Precision of explanations by who classifies the image correctly: all networks, some of them, or
/// none.
#[experiment(select(max = |v| v.accuracy), snapshot = smoke)]
struct Misclassified {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|scale, corpus, depth| best_rates(scale, corpus, depth))]
    rate: f64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    seed: u64,
}

/// The groups of images that some networks misclassify, and that all misclassify.
/// Where all networks are right, the metric keeps its own name.
const BY_SOME: &str = "misclassified_by_some";
const BY_ALL: &str = "misclassified_by_all";

impl Run for Misclassified {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        fine_tune(lab, self.corpus, self.depth, self.rate, self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let test = lab.test();
        let mut scores = explain(&fitted.model, test.classified_correctly_by_all()?)?;
        for (images, group) in [
            (test.misclassified_by_some()?, BY_SOME),
            (test.misclassified_by_all()?, BY_ALL),
        ] {
            if !images.is_empty() {
                let explained = explain(&fitted.model, images)?;
                scores.extend(called(explained, &group_name("precision", group)));
            }
        }
        Ok(scores)
    }

    fn references(lab: &Lab) -> Result<Vec<Reference>> {
        references(lab)
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        analysis.table(groups(results));
        let [table, chart] = right_and_wrong(results);
        analysis.parts.extend([table, chart].into_iter().flatten());
        Ok(())
    }
}

/// Precision under another metric's name, without the checks beside it.
fn called(scores: Scores, metric: &str) -> Scores {
    let renamed = |mut score: Score| {
        score.metric = match score.metric.as_str() {
            "precision" => metric.to_owned(),
            name if name == chance_name("precision") => chance_name(metric),
            _ => return None,
        };
        Some(score)
    };
    scores.into_iter().filter_map(renamed).collect()
}

/// Mean precision over all networks by who is right, one row per group.
fn groups(results: &Results<Misclassified>) -> Table {
    let scores: Scores = results
        .winners()
        .flat_map(|(_, tested)| tested.scores.clone())
        .collect();
    let methods = methods(&scores);
    let mut columns = vec!["classified_correctly_by".to_owned(), "images".to_owned()];
    columns.extend(methods.iter().cloned());
    columns.push("chance".to_owned());
    let mut table = Table::new("groups", "Precision by who is right", columns).caption(
        "Mean over networks and images. The true class is always what is explained. Groups consist of different images, so a \
         difference between rows is also a difference between images.",
    );
    for (name, metric) in [
        ("all networks", "precision".to_owned()),
        ("some networks", group_name("precision", BY_SOME)),
        ("no network", group_name("precision", BY_ALL)),
    ] {
        let of_group = |score: &&Score| score.metric == metric;
        let images: Vec<u32> = scores
            .iter()
            .filter(of_group)
            .map(|score| score.image)
            .collect();
        let distinct: std::collections::BTreeSet<u32> = images.into_iter().collect();
        let mut row: Vec<TableValue> = vec![name.into(), distinct.len().into()];
        row.extend(
            methods
                .iter()
                .map(|method| mean_of(&scores, method, &metric).into()),
        );
        let chance = chance_name(&metric);
        let levels = scores.iter().filter(|score| score.metric == chance);
        let levels: Vec<f64> = levels.map(|score| score.value).collect();
        row.push(mean(&levels).into());
        table.row(row);
    }
    table
}

/// For the images on which networks disagree: what an explanation loses if its network is wrong.
fn right_and_wrong(results: &Results<Misclassified>) -> [Option<AnalysisItem>; 2] {
    let winners: Vec<&Tested> = results.winners().map(|(_, tested)| tested).collect();
    let methods = winners
        .first()
        .map_or(Vec::new(), |tested| methods(&tested.scores));
    let mut table = Table::new(
        "right_and_wrong",
        "Where networks disagree: precision where a network is right minus where it is wrong",
        ["method"].into_iter().chain(COLUMNS),
    )
    .caption(
        "The image's mean over networks is subtracted from each precision, so that hard images do not count as wrong \
         networks. Right networks are a part of that mean, so the difference is divided by the share of it that remains. \
         There is one difference per network, so that worse networks do not count either. 95 % interval by a bootstrap of networks, p of \
         Wilcoxon's signed-rank test over networks, corrected by Holm over methods.",
    );
    let rows: Vec<_> = methods
        .iter()
        .map(|method| differences(&winners, method))
        .collect();
    let mut estimates = Vec::new();
    for (row, compared) in paired(&rows).into_iter().enumerate() {
        table.row(
            [methods[row].clone().into()]
                .into_iter()
                .chain(compared.entries()),
        );
        estimates.extend(compared.difference.map(|value| Estimate {
            row,
            series: String::new(),
            value,
            interval: compared.interval,
        }));
    }
    let mut chart = Forest::new(
        "right_less_wrong",
        "What an explanation loses where its network is wrong",
        "Precision where a network is right minus where it is wrong",
        methods.iter().map(|method| method_title(method)),
    )
    .caption("Images on which networks disagree; see the table right_and_wrong.");
    let drawn = !estimates.is_empty();
    chart.panel("Images on which networks disagree", estimates);
    [
        Some(AnalysisItem::Table(table)),
        drawn.then_some(AnalysisItem::Forest(chart)),
    ]
}

/// The difference for each network that is right about some of the disputed images and wrong about
/// others.
fn differences(winners: &[&Tested], method: &str) -> Vec<f64> {
    let by_some = group_name("precision", BY_SOME);
    let disputed = |tested: &&Tested| -> Vec<Scored> {
        let said = &tested.predictions;
        let scores = tested.scores.iter();
        scores
            .filter(|score| score.method == method && score.metric == by_some)
            .map(|score| {
                let at = score.image as usize;
                Scored {
                    image: score.image,
                    score: score.value,
                    right: said.class[at] == said.predicted[at],
                }
            })
            .collect()
    };
    right_less_wrong(&winners.iter().map(disputed).collect::<Vec<_>>())
}

fn main() -> ExitCode {
    xai_core::run::<Misclassified>()
}
