//! What a reader of a report should not overlook.

use super::gallery::Gallery;
use super::plan::Plan;
use crate::attribution::methods::method_title;
use crate::report::checks;
use crate::report::quality::Quality;
use crate::report::summary::Summary;
use crate::sweep::read::SweepResult;

/// Maps with at least this correlation in every image look the same.
const SAME: f64 = 0.999;
/// The share of the way from guessing to perfection below which a network has learnt little: an
/// accuracy of 0.6 for two classes, an R2 of 0.2.
const HARDLY_LEARNT: f64 = 0.2;
/// The number of images below which an interval of their mean is rough.
const FEW: usize = 30;

/// Warnings of networks that have learnt little, or whose quality is unknown.
fn of_networks(result: &SweepResult) -> Vec<String> {
    let Ok(quality) = Quality::of(result) else {
        return Vec::new();
    };
    let chance = quality.chance(result);
    let hardly = chance + HARDLY_LEARNT * (1.0 - chance);
    let of_cells = result.cells.iter().map(|cell| quality.test(cell));
    let poor = of_cells.clone().filter(|&value| value < hardly).count();
    let unknown = of_cells.filter(|value| !value.is_finite()).count();
    let (all, hardly) = (result.cells.len(), (100.0 * hardly).round() / 100.0);
    let what = match quality {
        Quality::Accuracy => {
            format!("networks classify less than {hardly} of the test images correctly")
        }
        Quality::R2 => format!("networks have an R2 below {hardly} on the test images"),
    };
    let poor = (poor > 0)
        .then(|| format!("{poor} of {all} {what}. Explanations of such a network mean little."));
    let unknown = (unknown > 0).then(|| {
        let name = quality.title();
        format!(
            "The {name} of {unknown} of {all} networks is not a number, and the figure leaves it out. An R2 is unknown if all \
             test responses are equal."
        )
    });
    poor.into_iter().chain(unknown).collect()
}

/// Warnings, the most important first.
pub(super) fn of(
    plan: &Plan,
    result: &SweepResult,
    summaries: &[Summary],
    gallery: &Gallery,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if plan.scale == "smoke" {
        warnings.push(
            "Scale smoke checks that everything runs. Its numbers have no meaning.".to_owned(),
        );
    }
    if let Some(part) = &plan.part {
        warnings.push(format!(
            "This is a part or a variant of the experiment ({part}). Its networks are selected and compared among \
             themselves, on their own images. Do not compare its numbers with those of the whole experiment."
        ));
    }
    warnings.extend(of_networks(result));
    if let Some(summary) = summaries.first() {
        let fewest = summary
            .groups
            .iter()
            .map(|group| group.images(&summary.methods));
        if let Some(images) = fewest.min().filter(|&images| images < FEW) {
            warnings.push(format!(
                "Some means are over only {images} images: their intervals are rough. Means of fewer than five images \
                 have none."
            ));
        }
        if summary.groups.iter().any(|group| group.seeds() < 2) {
            warnings.push(
                "Some combinations have only one training. The intervals are over images. They do not show how \
                 another training would have turned out."
                    .to_owned(),
            );
        }
    }
    warnings.extend(checks::lines(result));
    for (pair, correlation) in gallery.alike(SAME) {
        let [first, second] = pair.map(|method| method_title(&method));
        warnings.push(format!(
            "{first} and {second} give the same map for every image shown (correlation at least {correlation:.4}). \
             Here they are one method, not two that agree."
        ));
    }
    warnings.extend(
        plan.other_code
            .as_ref()
            .map(|line| format!("Results of different code stand side by side: {line}.")),
    );
    if plan.dirty {
        warnings.push(
            "Files differed from the commit when this was run. The commit alone does not reproduce it.".to_owned(),
        );
    }
    warnings
}
