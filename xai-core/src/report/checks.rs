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
///
/// Only images with a score count, by whatever method. The others, such as those with an empty ground truth, have no map
/// that tables and figures show.
#[derive(Default)]
struct Checked {
    /// The maps of images that count, with or without a failed check.
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
    /// Adds the rows of one cell's maps.
    fn add<'a>(&mut self, rows: impl Iterator<Item = &'a Score>) {
        let mut images = BTreeSet::new();
        for row in rows {
            images.insert(row.image);
            match row.metric.as_str() {
                ZERO_MAP => self.zero += 1,
                CONSTANT_MAP => self.constant += 1,
                TIED_MAP => self.tied += 1,
                NOISE_OVER_RANGE => self.noisy += 1,
                COMPLETENESS_ERROR => self.errors.push(row.value),
                _ => {}
            }
        }
        self.maps += images.len();
    }
}

/// What a reader should know of the maps, one line per method and kind. Empty if nothing was found.
pub(super) fn lines(result: &SweepResult) -> Vec<String> {
    let mut lines = Vec::new();
    for (method, checked) in by_method(sets(result)) {
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
                "{title}: attributions should add up to the difference of scores and miss it by {:.0} % (median of {} maps; \
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
    if !sets(result).flatten().any(is_check) {
        return None;
    }
    let names: BTreeSet<&str> = (result.cells.iter().flat_map(|cell| &cell.values))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut header = vec!["baseline"];
    header.extend(&names);
    header.extend(COLUMNS);
    let mut text = header.join(",") + "\n";
    let mut add = |start: Vec<String>, scores: &[Score]| {
        for (method, checked) in by_method([scores]) {
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
        add(start.collect(), &cell.scores);
    }
    for one in &result.references {
        let mut start = vec![one.name.clone()];
        start.resize(1 + names.len(), String::new());
        add(start, &one.scores);
    }
    Some(text)
}

/// The scores of each cell and each reference.
fn sets(result: &SweepResult) -> impl Iterator<Item = &[Score]> {
    let of_cells = result.cells.iter().map(|cell| cell.scores.as_slice());
    let of_references = result.references.iter().map(|one| one.scores.as_slice());
    of_cells.chain(of_references)
}

/// In the order in which the scores first name the methods. An image of one set is another image than those of the others.
fn by_method<'a>(sets: impl IntoIterator<Item = &'a [Score]>) -> Vec<(&'a str, Checked)> {
    let mut methods: Vec<(&str, Checked)> = Vec::new();
    for scores in sets {
        let of_image = |score: &Score| (!is_check(score)).then_some(score.image);
        let scored: BTreeSet<u32> = scores.iter().filter_map(of_image).collect();
        let mut of_methods: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
        for score in scores {
            if score.method == CHANCE || is_chance(&score.metric) {
                continue;
            }
            if methods.iter().all(|(name, _)| *name != score.method) {
                methods.push((&score.method, Checked::default()));
            }
            if scored.contains(&score.image) {
                of_methods.entry(&score.method).or_default().push(score);
            }
        }
        for (name, checked) in &mut methods {
            checked.add(of_methods.remove(name).into_iter().flatten());
        }
    }
    for (_, checked) in &mut methods {
        checked.errors.sort_by(f64::total_cmp);
    }
    methods
}
