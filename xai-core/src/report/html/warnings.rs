//! What a reader of a report should not overlook.

use super::gallery::Gallery;
use super::plan::Plan;
use crate::attribution::methods::method_title;
use crate::report::summary::{Summary, scored_images};
use crate::sweep::read::SweepResult;

/// Maps that agree to this correlation in every image are the same to anybody who looks.
const SAME: f64 = 0.999;
/// The share of the way from guessing to perfection below which a network has learnt next to nothing: an accuracy of 0.6
/// where there are two classes.
const HARDLY_LEARNT: f64 = 0.2;
/// Images below which an interval of their mean is a guess.
const FEW: usize = 30;

/// Warnings, the gravest first.
pub(super) fn of(
    plan: &Plan,
    result: &SweepResult,
    summaries: &[Summary],
    gallery: &Gallery,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if plan.scale == "smoke" {
        warnings.push(
            "Scale smoke shows that everything runs. Its numbers say nothing about explanations."
                .to_owned(),
        );
    }
    if let Some(part) = &plan.part {
        warnings.push(format!(
            "This is a part or a variant of the experiment ({part}). Its networks are chosen and compared among \
             themselves, on images of their own: do not put its numbers beside those of the whole."
        ));
    }
    let chance = result.chance_of_accuracy();
    let hardly = chance + HARDLY_LEARNT * (1.0 - chance);
    let cells = result.cells.iter();
    match cells.filter(|cell| cell.test_accuracy < hardly).count() {
        0 => {}
        poor => warnings.push(format!(
            "{poor} of {} networks classify less than {} of the test images correctly. What such a network does explains \
             little, however it is explained.",
            result.cells.len(),
            (100.0 * hardly).round() / 100.0
        )),
    }
    if let Some(summary) = summaries.first() {
        let images = scored_images(result);
        if images < FEW {
            warnings.push(format!(
                "The number of scored images is only {images}: the intervals are rough."
            ));
        }
        if summary.groups.iter().any(|group| group.seeds() < 2) {
            warnings.push(
                "Some combinations have one training only. The intervals are over images: they do not say how \
                 another training would have come out."
                    .to_owned(),
            );
        }
    }
    for (pair, correlation) in gallery.alike(SAME) {
        let [first, second] = pair.map(|method| method_title(&method));
        warnings.push(format!(
            "{first} and {second} draw the same map of every image shown (correlation at least {correlation:.4}): \
             they are one method here, not two that agree."
        ));
    }
    if plan.dirty {
        warnings.push(
            "Files differed from the commit when this was run: the commit alone does not give it back.".to_owned(),
        );
    }
    warnings
}
