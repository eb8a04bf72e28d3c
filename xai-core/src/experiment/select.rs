//! The choice of hyperparameters, by validation results only.

use super::Validation;
use super::plan::part;
use super::spec::{Point, Role, Select, Spec};
use crate::error::{Error, Result};

/// The winners among the cells, by index and in order.
///
/// For each combination of axes, the tune values with the best validation value, averaged over
/// seeds; every seed of that choice wins. Of equals the first wins. What is not a number loses.
///
/// # Errors
/// If no choice at some combination of axes has a number.
pub fn winners(spec: &Spec, cells: &[(&Point, &Validation)]) -> Result<Vec<usize>> {
    let Some(select) = spec.select else {
        return Ok((0..cells.len()).collect());
    };
    let worth = |validation: &Validation| match select {
        Select::Max(by) => by(validation),
        Select::Min(by) => -by(validation),
    };
    let axes: Vec<_> = spec.names(Role::Axis).collect();
    let tunes: Vec<_> = spec.names(Role::Tune).collect();
    let mut winners = Vec::new();
    for (at, members) in groups((0..cells.len()).collect(), |&cell| {
        part(cells[cell].0, &axes)
    }) {
        let mut best: Option<(f64, Vec<usize>)> = None;
        for (_, seeds) in groups(members, |&cell| part(cells[cell].0, &tunes)) {
            let mean =
                seeds.iter().map(|&cell| worth(cells[cell].1)).sum::<f64>() / seeds.len() as f64;
            if mean.is_finite() && best.as_ref().is_none_or(|(highest, _)| mean > *highest) {
                best = Some((mean, seeds));
            }
        }
        let (_, seeds) = best.ok_or_else(|| {
            Error::invalid(format!(
                "no choice of {} at {at} has a finite validation value to select by",
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
    for item in items {
        let label = label(&item);
        match groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, members)) => members.push(item),
            None => groups.push((label, vec![item])),
        }
    }
    groups
}
