//! Selects hyperparameters by validation results only.

use std::collections::HashMap;

use super::cells::part;
use crate::error::{Error, Result};
use crate::sweep::declare::{Point, Role, Select, Spec};
use crate::training::Validation;

/// The winners among the cells, by index and in order.
///
/// For each combination of axes, the tuned values with the best validation result win, averaged
/// over seeds. Every seed of these values is a winner. Among equals the first wins. A result that
/// is not a number loses.
///
/// # Errors
/// If no tuned value at some combination of axes has a finite result.
pub fn winners(spec: &Spec, cells: &[(&Point, &Validation)]) -> Result<Vec<usize>> {
    let Some(select) = spec.select else {
        return Ok((0..cells.len()).collect());
    };
    let (Select::Max(by) | Select::Min(by) | Select::Closest(_, by)) = select;
    let worth = |mean: f64| match select {
        Select::Max(_) => mean,
        Select::Min(_) => -mean,
        Select::Closest(target, _) => -(mean - target).abs(),
    };
    let axes: Vec<_> = spec.names(Role::Axis).collect();
    let tunes: Vec<_> = spec.names(Role::Tune).collect();
    let mut winners = Vec::new();
    for (at, members) in groups((0..cells.len()).collect(), |&cell| {
        part(cells[cell].0, &axes)
    }) {
        let mut best: Option<(f64, Vec<usize>)> = None;
        for (_, seeds) in groups(members, |&cell| part(cells[cell].0, &tunes)) {
            let sum: f64 = seeds.iter().map(|&cell| by(cells[cell].1)).sum();
            let worth = worth(sum / seeds.len() as f64);
            if worth.is_finite() && best.as_ref().is_none_or(|(highest, _)| worth > *highest) {
                best = Some((worth, seeds));
            }
        }
        let (_, seeds) = best.ok_or_else(|| {
            Error::invalid(format!(
                "no value of {} at {at} has a finite validation result to select by",
                tunes.join(", ")
            ))
        })?;
        winners.extend(seeds);
    }
    winners.sort_unstable();
    Ok(winners)
}

/// Groups by a label, both in order of first appearance.
fn groups<T>(items: Vec<T>, label: impl Fn(&T) -> String) -> Vec<(String, Vec<T>)> {
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for item in items {
        let label = label(&item);
        match places.get(&label) {
            Some(&place) => groups[place].1.push(item),
            None => {
                places.insert(label.clone(), groups.len());
                groups.push((label, vec![item]));
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::declare::{Scale, Value};

    /// Three rates with two seeds each, at two depths.
    fn chosen(spec: Spec) -> Vec<usize> {
        let accuracies = [
            [[0.80, 0.84], [0.86, 0.90], [0.94, 0.98]], // means 0.82, 0.88, 0.96
            [[0.70, 0.70], [0.79, 0.99], [0.95, 0.95]], // means 0.70, 0.89, 0.95
        ];
        let mut cells = Vec::new();
        for (depth, rates) in accuracies.iter().enumerate() {
            for (rate, seeds) in rates.iter().enumerate() {
                for (seed, &accuracy) in seeds.iter().enumerate() {
                    let point = [("depth", depth), ("rate", rate), ("seed", seed)]
                        .into_iter()
                        .fold(Point::origin(Scale::Smoke), |point, (name, index)| {
                            point.with(name, Value::Integer(index as i128))
                        });
                    let loss = 1.0 - accuracy;
                    let validation = Validation {
                        accuracy,
                        loss,
                        ..Validation::default()
                    };
                    cells.push((point, validation));
                }
            }
        }
        let cells: Vec<_> = cells.iter().map(|(point, v)| (point, v)).collect();
        winners(&spec, &cells).unwrap()
    }

    #[test]
    fn the_mean_over_seeds_decides() {
        let spec = || {
            Spec::new("toy", "")
                .axis("depth", &[], |_| unreachable!())
                .tune("rate", &[], |_| unreachable!())
                .seed("seed", &[], |_| unreachable!())
        };
        assert_eq!(chosen(spec().select_max(|v| v.accuracy)), [4, 5, 10, 11]);
        assert_eq!(chosen(spec().select_min(|v| v.loss)), [4, 5, 10, 11]);
        // At the second depth, the mean of 0.79 and 0.99 is 0.89, although both are farther from
        // 0.89 than 0.95 is.
        let closest = spec().select_closest(0.89, |v| v.accuracy);
        assert_eq!(chosen(closest), [2, 3, 8, 9]);
        assert_eq!(chosen(spec()), (0..12).collect::<Vec<_>>());
    }
}
