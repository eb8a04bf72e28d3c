//! Checks of heat maps: what means over images do not show.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{decimals, quoted};
use crate::attribution::methods::method_title;
use crate::metrics::{
    CHANCE, COMPLETENESS_ERROR, CONSTANT_MAP, NOISE_OVER_RANGE, Score, TIED_MAP, ZERO_MAP,
    is_chance, is_check,
};
use crate::statistics::quantile;
use crate::sweep::read::SweepResult;

/// A method whose attributions miss their promised sum by more than this, in half of the images, is not complete.
const COMPLETE: f64 = 0.05;

/// The checks of some cells' maps by one method.
#[derive(Default)]
struct Checked {
    maps: usize,
    zero: usize,
    constant: usize,
    tied: usize,
    /// Images whose range the noise exceeds.
    noisy: usize,
    /// Sorted.
    errors: Vec<f64>,
}

impl Checked {
    fn of<'a>(scores: impl Iterator<Item = &'a Score>) -> Self {
        let mut checked = Self::default();
        let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
        for score in scores {
            match score.metric.as_str() {
                ZERO_MAP => checked.zero += 1,
                CONSTANT_MAP => checked.constant += 1,
                TIED_MAP => checked.tied += 1,
                NOISE_OVER_RANGE => checked.noisy += 1,
                COMPLETENESS_ERROR => checked.errors.push(score.value),
                metric => *metrics.entry(metric).or_default() += 1,
            }
        }
        checked.maps = metrics.into_values().max().unwrap_or(0);
        checked.errors.sort_by(f64::total_cmp);
        checked
    }
}

/// What a reader should know of the maps, one line per method and kind. Empty if nothing was found.
pub(super) fn lines(result: &SweepResult) -> Vec<String> {
    let mut lines = Vec::new();
    for (method, checked) in by_method(&all_scores(result)) {
        let (title, maps) = (method_title(method), checked.maps);
        for (count, what) in [
            (checked.zero, "are 0 everywhere: they found nothing"),
            (checked.constant, "have the same value everywhere"),
            (
                checked.tied,
                "are tied at the border of the top pixels, so the order of pixels decides which of them count",
            ),
            (
                checked.noisy,
                "were made with noise that exceeds the range of the image: it is all that the network saw",
            ),
        ] {
            if count > 0 {
                lines.push(format!("{title}: {count} of {maps} maps {what}."));
            }
        }
        let median = quantile(&checked.errors, 0.5).unwrap_or(0.0);
        if median > COMPLETE {
            let worst = checked.errors.last().copied().unwrap_or(0.0);
            lines.push(format!(
                "{title}: attributions should add up to the difference of scores and miss it by {:.0} % (median of {} images; \
                 at most {:.0} %).",
                100.0 * median,
                checked.errors.len(),
                100.0 * worst
            ));
        }
    }
    lines
}

/// The last columns of `checks.csv`.
pub(super) const COLUMNS: [&str; 8] = [
    "method",
    "maps",
    "zero",
    "constant",
    "tied",
    "noise_over_range",
    "completeness_error_median",
    "completeness_error_max",
];

/// `checks.csv`: one row per cell or reference and method. `None` if the scores hold no check.
pub(super) fn csv(result: &SweepResult) -> Option<String> {
    if !all_scores(result).iter().any(|score| is_check(score)) {
        return None;
    }
    let names: BTreeSet<&str> = (result.cells.iter().flat_map(|cell| &cell.values))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut header = vec!["baseline"];
    header.extend(&names);
    header.extend(COLUMNS);
    let mut text = header.join(",") + "\n";
    let mut add = |start: Vec<String>, scores: &[&Score]| {
        for (method, checked) in by_method(scores) {
            let mut row: Vec<String> = start.iter().map(|field| quoted(field)).collect();
            row.push(method.to_owned());
            let counts = [
                checked.maps,
                checked.zero,
                checked.constant,
                checked.tied,
                checked.noisy,
            ];
            row.extend(counts.map(|count| count.to_string()));
            let errors = [0.5, 1.0].map(|part| quantile(&checked.errors, part));
            row.extend(errors.map(|error| error.map_or(String::new(), decimals)));
            text.push_str(&(row.join(",") + "\n"));
        }
    };
    for cell in &result.cells {
        let value = |name: &&str| {
            let mut values = cell.values.iter();
            let found = values.find(|(known, _)| known == name);
            found.map_or(String::new(), |(_, value)| value.clone())
        };
        let start = [String::new()].into_iter().chain(names.iter().map(value));
        add(start.collect(), &cell.scores.iter().collect::<Vec<_>>());
    }
    for one in &result.references {
        let mut start = vec![one.name.clone()];
        start.resize(1 + names.len(), String::new());
        add(start, &one.scores.iter().collect::<Vec<_>>());
    }
    Some(text)
}

fn all_scores(result: &SweepResult) -> Vec<&Score> {
    let of_cells = result.cells.iter().flat_map(|cell| &cell.scores);
    let of_references = result.references.iter().flat_map(|one| &one.scores);
    of_cells.chain(of_references).collect()
}

/// In the order in which the scores first name the methods.
fn by_method<'a>(scores: &[&'a Score]) -> Vec<(&'a str, Checked)> {
    let own = |score: &&&Score| score.method != CHANCE && !is_chance(&score.metric);
    let mut methods: Vec<(&str, Vec<&Score>)> = Vec::new();
    for score in scores.iter().filter(own) {
        match methods.iter_mut().find(|(name, _)| *name == score.method) {
            Some((_, scores)) => scores.push(score),
            None => methods.push((&score.method, vec![score])),
        }
    }
    let checked =
        |(name, scores): (&'a str, Vec<&'a Score>)| (name, Checked::of(scores.into_iter()));
    methods.into_iter().map(checked).collect()
}
